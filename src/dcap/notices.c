/* Handing a warning to whoever listens. */
#include "dcap/notices.h"

#include <stdarg.h>
#include <stdio.h>

void dcap_notices_warn(const struct dcap_notices *notices, const char *code, const char *format,
                       ...)
{
    char message[ERROR_MESSAGE_MAX];
    va_list args;
    if (notices == NULL || notices->warn == NULL)
        return;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    notices->warn(notices->context, code, message);
}
