#include "support/sim_process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "http/client.h"
#include "sim/service.h"

enum { CALL_MS = 5000 };

/* --- the child --- */

static bool serve(const char *dir, const char *const *machines, size_t count,
                  struct sim_service **service, struct error *err)
{
    static struct sim_cast_view view;
    struct sim_cast cast SIM_CAST_AUTO = {0};
    if (!sim_cast_new(&cast, err))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!sim_cast_add_machine(&cast, machines[i], err))
            return false;
    const struct sim_service_options options = {.dir = dir, .cast = &view};
    return sim_cast_read(&cast, &view, err) && sim_service_start(&options, service, err);
}

/* Writes the page (or the error), then lives until SIGTERM, which also comes when the test dies. */
_Noreturn static void child(const char *dir, const char *const *machines, size_t count, int tell)
{
    struct sim_service *service = NULL;
    struct error err = {0};
    sigset_t end;
    int got;
    sigemptyset(&end);
    sigaddset(&end, SIGTERM);
    sigprocmask(SIG_BLOCK, &end, NULL);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    bool ok = serve(dir, machines, count, &service, &err);
    struct slice text = ok ? sim_service_page(service) : slice_str(err.message);
    ok = fd_write_all(tell, text, NULL) && ok;
    close(tell);
    if (ok)
        sigwait(&end, &got);
    sim_service_stop(&service);
    _exit(ok ? 0 : 1);
}

/* --- the parent --- */

static void keep(char *out, size_t size, const json_t *page, const char *name)
{
    const char *text = json_string_value(json_object_get(page, name));
    snprintf(out, size, "%s", text == NULL ? "" : text);
}

static bool hear(struct sim_process *p, int tell, struct error *err)
{
    struct buf text BUF_AUTO = BUF_INIT(SIM_STATE_FILE_MAX);
    bool heard = file_read_fd(tell, "the simulator", &text, err);
    close(tell);
    if (!heard)
        return false;
    if (!json_parse(buf_slice(&text), SIM_STATE_FILE_MAX, 0, &p->page, NULL))
        return error_set(err, "sim/start", NULL, "%.*s", (int)text.len, (const char *)text.data);
    keep(p->pcs_url, sizeof p->pcs_url, p->page, "pcs_url");
    keep(p->root_pem, sizeof p->root_pem, p->page, "root_pem");
    return true;
}

bool sim_process_start(struct sim_process *p, const char *dir, const char *const *machines,
                       size_t count, struct error *err)
{
    int tell[2];
    *p = (struct sim_process){0};
    if (pipe(tell) != 0)
        return error_set(err, "sim/start", NULL, "no pipe: %s", strerror(errno));
    fflush(NULL);
    p->pid = fork();
    if (p->pid == 0) {
        close(tell[0]);
        child(dir, machines, count, tell[1]);
    }
    close(tell[1]);
    if (p->pid < 0 || !hear(p, tell[0], err)) {
        sim_process_stop(p);
        return false;
    }
    return true;
}

bool sim_process_stop(struct sim_process *p)
{
    int status = -1;
    if (p->pid > 0) {
        kill(p->pid, SIGTERM);
        while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR)
            continue;
    }
    p->pid = 0;
    json_release(&p->page);
    return status == 0;
}

static void put_words(const char *words, struct buf *out)
{
    const char *comma = "";
    buf_append_str(out, "{\"scenarios\":[");
    for (const char *at = words; *at != '\0';) {
        size_t len = strcspn(at, " ");
        buf_printf(out, "%s\"%.*s\"", comma, (int)len, at);
        comma = ",";
        at += len;
        at += strspn(at, " ");
    }
    buf_append_str(out, "]}");
}

void sim_process_play(const struct sim_process *p, const char *who, const char *words)
{
    const struct http_client_options options = {.ignore_proxy = true};
    struct http_client *client HTTP_CLIENT_AUTO = NULL;
    struct http_response response HTTP_RESPONSE_AUTO = {0};
    struct buf body BUF_AUTO = BUF_INIT(4096);
    struct error err = {0};
    char url[256];
    put_words(words, &body);
    snprintf(url, sizeof url, "%s/sim/%s", p->pcs_url, who);
    const struct http_request request = {.method = "PUT",
                                         .url = url,
                                         .body = buf_slice(&body),
                                         .timeout_ms = CALL_MS,
                                         .body_max = SIM_CONTROL_BODY_MAX};
    if (!http_client_open(&options, &client, &err) ||
        !http_client_call(client, &request, &response, &err))
        fail_msg("%s: %s", err.code, err.message);
    if (response.status != 204)
        fail_msg("'%s' for %s: %ld", words, who, response.status);
}

const char *sim_process_text(const struct sim_process *p, const char *machine, const char *member)
{
    size_t i;
    json_t *m;
    json_array_foreach(json_object_get(p->page, "machines"), i, m)
    {
        const char *name = json_string_value(json_object_get(m, "name"));
        if (name != NULL && strcmp(name, machine) == 0)
            return json_string_value(json_object_get(m, member));
    }
    return NULL;
}
