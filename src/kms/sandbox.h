/* What the process may still ask the kernel for once it serves: no programs, no debugging of
 * others, no writable code, no sockets but those it needs. Spec: settings.md has no switch for it.
 */
#ifndef KMS_SANDBOX_H
#define KMS_SANDBOX_H

#include "base/error.h"

/* For the whole process, irrevocably. Calls outside the list fail with EPERM; starting a program
 * ends the process. Codes: sandbox/unavailable (this kernel or build has none). */
bool kms_sandbox_enter(struct error *err) MUST_USE;

#endif
