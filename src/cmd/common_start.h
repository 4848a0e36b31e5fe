/* How every program of ours begins: secrets locked in, the command line read, --help and --version
 * answered. */
#ifndef CMD_COMMON_START_H
#define CMD_COMMON_START_H

#include "cmd/common_args.h"

/* False when the program is to end at once with *status. */
bool program_start(const struct args_program *program, int argc, char *const *argv,
                   struct args *args, int *status) MUST_USE;

/* "merod 0.1.0 (development build)", then a line each for the libraries and the formats. */
void program_print_version(const char *name, FILE *out);

#endif
