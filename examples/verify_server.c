/* A server of several threads that verify quotes with one shared verifier: collateral is fetched
 * once for everybody and kept in a directory.
 *
 *   cc -pthread -o verify_server verify_server.c $(pkg-config --cflags --libs merotee)
 *   verify_server POLICY CACHE_DIR [COLLATERAL_SERVICE]
 *
 * Listens on a free port of 127.0.0.1, which it prints. A client sends a raw quote, closes its
 * sending side and gets one line: "accepted STATUS" or "refused CODE: text". SIGTERM ends it.
 */
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <merotee/merotee.h>
#ifdef MEROTEE_DEV
#include <merotee/dev.h>
#endif

enum {
    THREADS = 4,
    CLIENT_TIMEOUT_S = 10,
    REFRESH_S = 4 * 3600,
    POLICY_MAX = MEROTEE_POLICY_JSON_MAX
};

/* What all threads share. The verifier is made for that, the policy is not changed any more. */
struct server {
    int listener;
    struct merotee_verifier *verifier;
    const struct merotee_policy *policy;
};

/* ---- one connection ---- */

static size_t receive_quote(int client, unsigned char *quote, size_t max)
{
    size_t len = 0;
    ssize_t got;
    while (len < max && (got = recv(client, quote + len, max - len, 0)) > 0)
        len += (size_t)got;
    return len;
}

static void serve(const struct server *server, int client, unsigned char *quote,
                  struct merotee_verdict *verdict)
{
    char line[1024];
    struct merotee_error err;
    const struct timeval timeout = {.tv_sec = CLIENT_TIMEOUT_S};
    setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    size_t len = receive_quote(client, quote, MEROTEE_QUOTE_LEN_MAX);
    if (merotee_verifier_check(server->verifier, quote, len, time(NULL), verdict, &err) &&
        merotee_policy_decide(server->policy, verdict, NULL, NULL, &err))
        snprintf(line, sizeof line, "accepted %s\n",
                 merotee_tcb_status_name(merotee_verdict_status(verdict, MEROTEE_STATUS_OF_ALL)));
    else
        snprintf(line, sizeof line, "refused %s: %s\n", err.code, err.message);
    if (send(client, line, strlen(line), MSG_NOSIGNAL) < 0)
        perror("send");
}

/* Each thread has its own verdict and its own room for a quote. */
static void *work(void *argument)
{
    const struct server *server = argument;
    unsigned char *quote = malloc(MEROTEE_QUOTE_LEN_MAX);
    struct merotee_verdict *verdict = merotee_verdict_new();
    int client;
    while (quote != NULL && verdict != NULL &&
           (client = accept(server->listener, NULL, NULL)) >= 0) {
        serve(server, client, quote, verdict);
        close(client);
    }
    merotee_verdict_free(verdict);
    free(quote);
    return NULL;
}

/* ---- the server ---- */

static void warn(void *context, const char *code, const char *message)
{
    (void)context;
    fprintf(stderr, "warning: %s (%s)\n", message, code);
}

static bool open_verifier(const char *cache_dir, const char *service, struct merotee_verifier **out,
                          struct merotee_error *err)
{
    struct merotee_verifier_options options = {
        .size = sizeof options, .cache_dir = cache_dir, .refresh_s = REFRESH_S, .warn = warn};
    if (service != NULL) {
        options.endpoints = &service;
        options.endpoint_count = 1;
    }
#ifdef MEROTEE_DEV
    if (getenv("MERO_DEV_ROOT") != NULL)
        return merotee_dev_verifier_open(getenv("MERO_DEV_ROOT"), &options, out, err);
#endif
    return merotee_verifier_open(&options, out, err);
}

static bool read_policy(const char *path, struct merotee_policy **out, struct merotee_error *err)
{
    static char text[POLICY_MAX];
    FILE *file = fopen(path, "rb");
    size_t len = file != NULL ? fread(text, 1, sizeof text, file) : 0;
    if (file != NULL)
        fclose(file);
    return merotee_policy_new(MEROTEE_POLICY_RELEASE, out, err) &&
           merotee_policy_merge_json(*out, text, len, MEROTEE_POLICY_OF_NODE, err);
}

static int listen_on_loopback(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(listener, SOMAXCONN) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &len) != 0) {
        perror("listen");
        return -1;
    }
    printf("listening on 127.0.0.1:%u\n", (unsigned)ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

static void run(struct server *server)
{
    pthread_t threads[THREADS];
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL); /* the threads inherit this */
    size_t count = 0;
    while (count < THREADS && pthread_create(&threads[count], NULL, work, server) == 0)
        count++;
    int received;
    if (count == THREADS)
        sigwait(&signals, &received);
    merotee_verifier_cancel(server->verifier); /* whoever fetches stops now */
    shutdown(server->listener, SHUT_RDWR);     /* whoever accepts too */
    while (count > 0)
        pthread_join(threads[--count], NULL);
}

int main(int argc, char **argv)
{
    struct server server = {.listener = -1};
    struct merotee_policy *policy = NULL;
    struct merotee_error err;
    if (argc < 3 || argc > 4) {
        fprintf(stderr, "usage: verify_server POLICY CACHE_DIR [COLLATERAL_SERVICE]\n");
        return EXIT_FAILURE;
    }
    bool ok = read_policy(argv[1], &policy, &err) &&
              open_verifier(argv[2], argc == 4 ? argv[3] : NULL, &server.verifier, &err);
    server.policy = policy;
    if (!ok)
        fprintf(stderr, "verify_server: %s (%s)\n", err.message, err.code);
    else if ((server.listener = listen_on_loopback()) >= 0)
        run(&server);
    if (server.listener >= 0)
        close(server.listener);
    merotee_verifier_close(server.verifier);
    merotee_policy_free(policy);
    return ok && server.listener >= 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
