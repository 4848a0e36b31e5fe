/* configfs-tsm in user space (platform facts 3.1, 3.2, 3.6): a FUSE file system whose root behaves
 * as /sys/kernel/config/tsm/report does on a TDX guest. mkdir makes an entry with inblob, outblob,
 * generation and provider; closing inblob commits it; the first read of outblob makes the quote.
 * What FUSE cannot do: swallow the error of a failing commit, as configfs does.
 *
 * The process that serves must not be the one that reads: killed in the middle of a read it would
 * wait for itself in the kernel for ever. Tests serve from a process of their own
 * (tests/support/sim_process.h). */
#ifndef SIM_TSM_FUSE_H
#define SIM_TSM_FUSE_H

#include "sim/machine.h"

struct sim_tsm;

/* Mounts over `path` (made when missing; a dead mount of an earlier run is taken away first).
 * Code sim/fuse when this system cannot mount: no /dev/fuse, no permission, no fusermount3. */
bool sim_tsm_start(struct sim_machine *machine, const char *path, struct sim_tsm **out,
                   struct error *err) MUST_USE;
/* Ends slow and silent reads, unmounts. Open files of others fail from then on. */
void sim_tsm_stop(struct sim_tsm **tsm);

#endif
