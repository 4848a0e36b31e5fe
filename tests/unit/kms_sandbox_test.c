/* The sandbox: in a child each, because there is no way back. What a release needs goes on (the
 * whole exchange), what an intruder would want does not. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "kms/sandbox.h"
#include "support/kms_fixture.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Exit statuses of a child. */
enum { DENIED = 0, DONE = 1, NO_SANDBOX = 2, OTHER = 3 };

static int denied(bool failed)
{
    return !failed ? DONE : errno == EPERM ? DENIED : OTHER;
}

static int run_program(void)
{
    execl("/bin/true", "true", (char *)NULL);
    return denied(true);
}
static int start_process(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    return denied(pid < 0);
}
static int trace_parent(void)
{
    return denied(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) < 0);
}
static int raw_socket(void)
{
    return denied(socket(AF_PACKET, SOCK_RAW, 0) < 0);
}
static int executable_memory(void)
{
    return denied(mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
                       -1, 0) == MAP_FAILED);
}
static int make_executable(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? OTHER : denied(mprotect(page, 4096, PROT_READ | PROT_EXEC) != 0);
}
static int change_user(void)
{
    return denied(setuid(12345) != 0);
}
static int change_root(void)
{
    return denied(chroot("/tmp") != 0);
}

static void *nothing(void *ctx)
{
    return ctx;
}
static int ordinary_work(void)
{
    pthread_t thread;
    struct error err = {0};
    struct buf text BUF_AUTO = BUF_INIT(65536);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bool ok = fd >= 0 && close(fd) == 0 && pthread_create(&thread, NULL, nothing, NULL) == 0 &&
              pthread_join(thread, NULL) == 0 && file_read("/proc/self/statm", &text, &err);
    void *memory = malloc(8 * 1024 * 1024);
    ok = ok && memory != NULL;
    free(memory);
    return ok ? DONE : OTHER;
}

struct child_case {
    const char *name;
    int (*act)(void);
    int status; /* wanted */
    int signal; /* or ended by this one */
};

static const struct child_case cases[] = {
    {"ordinary work", ordinary_work, DONE, 0},
    {"running a program", run_program, 0, SIGSYS},
    {"tracing the parent", trace_parent, 0, SIGSYS},
    {"starting a process", start_process, DENIED, 0},
    {"a packet socket", raw_socket, DENIED, 0},
    {"executable memory", executable_memory, DENIED, 0},
    {"making memory executable", make_executable, DENIED, 0},
    {"another user", change_user, DENIED, 0},
    {"another root", change_root, DENIED, 0},
};

static int in_sandbox(int (*act)(void))
{
    struct error err = {0};
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(kms_sandbox_enter(&err) ? act() : NO_SANDBOX);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void test_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct child_case *c = &cases[i];
        int status = in_sandbox(c->act);
        if (WIFEXITED(status) && WEXITSTATUS(status) == NO_SANDBOX)
            skip();
        bool ok = c->signal != 0 ? WIFSIGNALED(status) && WTERMSIG(status) == c->signal
                                 : WIFEXITED(status) && WEXITSTATUS(status) == c->status;
        if (!ok)
            fail_msg("%s: status %x", c->name, (unsigned)status);
    }
}

/* The service in the sandbox, the world around it outside. */
static struct kms_fixture world;

static int exchange_in_sandbox(void)
{
    struct fixture_node node;
    struct fixture_reply reply;
    struct error err = {0};
    SECRET_AUTO struct secret key = {0};
    fixture_node(&world, "node", &node);
    bool ok = keyrelease_fetch(&node.options, &key, NULL, NULL, &err);
    fixture_admin(&world, "/metrics", &reply);
    ok = ok && reply.status == 200;
    fixture_admin(&world, "/readyz?verbose", &reply);
    ok = ok && reply.status == 200;
    kms_reload(world.kms);
    fixture_node_free(&node);
    ok = ok && kms_stop(&world.kms);
    if (!ok)
        fprintf(stderr, "%s %s\n", err.message, reply.body);
    return ok ? DONE : OTHER;
}

static void test_service_goes_on(void **state)
{
    (void)state;
    /* Threads do not survive fork(), so all of it lives in the child. */
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct error err = {0};
        fixture_open(&world);
        fixture_defaults(&world);
        fixture_configure(&world);
        fixture_start(&world);
        bool inside = kms_sandbox_enter(&err);
        int result = inside ? exchange_in_sandbox() : NO_SANDBOX;
        (void)!file_remove_tree(world.dir, &err);
        _exit(result);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == NO_SANDBOX)
        skip();
    if (!WIFEXITED(status) || WEXITSTATUS(status) != DONE)
        fail_msg("status %x", (unsigned)status);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_service_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
