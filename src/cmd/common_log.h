/* Log level of the daemons from RUST_LOG, which operators of the existing programs set. */
#ifndef CMD_COMMON_LOG_H
#define CMD_COMMON_LOG_H

#include "base/log.h"

/*
 * text: the variable's value, comma-separated directives "level" or "target=level"; NULL = unset.
 * A directive for `program`, or for a target that starts with "calimero" or "mero", counts before a
 * bare level; of several the last one. "trace" is debug, "off" is error. What cannot be read leaves
 * the default, info.
 */
enum log_level log_level_of_env(const char *text, const char *program);

#endif
