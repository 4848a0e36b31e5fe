/* `merod config KEY=VALUE...`: edits that keep everything else of config.toml. Spec: compatibility
 * facts A.3. */
#ifndef NODE_CONFIG_EDIT_H
#define NODE_CONFIG_EDIT_H

#include <stddef.h>

#include "base/error.h"

/* Applies all assignments, validates the whole result against the real node directory, and replaces
 * the file atomically with mode 0600. On failure the file is as it was. None is fine: the file is
 * validated and rewritten. Two edits at the same time follow each other; neither is lost.
 *
 * Codes: usage ("Missing value", a VALUE that is not TOML: exit status 2), config/not-initialized,
 * toml/type (a parent that is no table), config/... of node_config_validate(), file/.... */
bool node_config_edit(const char *dir, const char *const *assignments, size_t count,
                      struct error *err) MUST_USE;

#endif
