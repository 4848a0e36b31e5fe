/* merod run. Spec: compatibility facts A.4, C; operator contract 3. */
#include "node/node.h"

#include "base/log.h"
#include "base/notify.h"

static void notify(const struct node *n, const char *state)
{
    struct error err;
    if (!notify_send(n->settings.env.notify_socket, state, &err))
        log_warn("the service manager was not told reason='%s'", err.message);
}

/* A stop that was asked for is no failure; only Ctrl-C during the start-up is told as one. */
static bool stopped_early(enum watch_reason reason, struct error *err)
{
    if (reason == WATCH_INTERRUPT)
        return false;
    log_info("%s", err->message);
    return true;
}

static bool serve(struct node *n, struct error *err)
{
    notify(n, "READY=1\nSTATUS=serving");
    enum watch_reason reason;
    int pause_ms = notify_watchdog_ms(n->settings.env.watchdog_usec);
    while ((reason = watch_wait(n->watch, pause_ms)) == WATCH_RUNNING)
        notify(n, "WATCHDOG=1");
    notify(n, "STOPPING=1\nSTATUS=stopping");
    admin_set_stopping(n->admin);
    log_info("stopping reason='%s'", watch_reason_text(reason));
    bool replaced = reason == WATCH_DATA_REPLACED;
    node_stop(n, replaced);
    if (replaced)
        return error_set(err, "node/data-replaced", "data",
                         "the data directory was replaced or removed while the node ran; it "
                         "stopped without writing to it");
    log_info("stopped");
    return true;
}

bool node_run(const struct node_options *options, struct error *err)
{
    struct watch *watch WATCH_AUTO = NULL;
    struct watch_options watched = {.eof_fd = options->eof_fd};
    if (!settings_mock_supported(options->overrides.mock_tee, err) ||
        !watch_start(&watched, &watch, err))
        return false;
    struct node n = {.options = options, .watch = watch};
    if (node_start(&n, err))
        return serve(&n, err);
    notify(&n, "STOPPING=1");
    node_stop(&n, false);
    return error_is(err, "interrupted") && stopped_early(watch_reason(watch), err);
}
