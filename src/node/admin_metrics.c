/* OpenMetrics 1.0 text. Spec: compatibility facts E.5, operator contract 3. */
#include "node/admin_metrics.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"

static const char *const METHODS[ADMIN_METHODS] = {"GET", "HEAD", "PUT", "POST", "DELETE", "other"};
/* 0 stands for every other status. */
static const unsigned STATUSES[ADMIN_STATUSES] = {200, 206, 304, 400, 401, 403, 404, 405, 408, 411,
                                                  412, 413, 415, 416, 429, 500, 501, 503, 507, 0};

void admin_metrics_count(struct admin_metrics *m, const char *method, unsigned status)
{
    size_t i = 0, j = 0;
    while (i + 1 < ADMIN_METHODS && strcmp(METHODS[i], method) != 0)
        i++;
    while (j + 1 < ADMIN_STATUSES && STATUSES[j] != status)
        j++;
    atomic_fetch_add(&m->requests[i][j], 1);
}

static void family(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_requests(struct admin_metrics *m, struct buf *out)
{
    family(out, "http_requests", "counter", "Answered HTTP requests.");
    for (size_t i = 0; i < ADMIN_METHODS; i++)
        for (size_t j = 0; j < ADMIN_STATUSES; j++) {
            unsigned long long count = atomic_load(&m->requests[i][j]);
            char status[12] = "other";
            if (count == 0)
                continue;
            if (STATUSES[j] != 0)
                snprintf(status, sizeof status, "%u", STATUSES[j]);
            buf_printf(out, "http_requests_total{method=\"%s\",status=\"%s\"} %llu\n", METHODS[i],
                       status, count);
        }
}

static void write_counters(struct admin_metrics *m, struct buf *out)
{
    family(out, "merod_tee_attest", "counter", "Quotes asked for through tee/attest and tee/info.");
    buf_printf(out, "merod_tee_attest_total{result=\"made\"} %llu\n", atomic_load(&m->quotes_made));
    buf_printf(out, "merod_tee_attest_total{result=\"failed\"} %llu\n",
               atomic_load(&m->quotes_failed));
    buf_printf(out, "merod_tee_attest_total{result=\"refused\"} %llu\n",
               atomic_load(&m->quotes_refused));
    family(out, "merod_blob_bytes", "counter", "Blob content received and sent.");
    buf_printf(out, "merod_blob_bytes_total{direction=\"in\"} %llu\n",
               atomic_load(&m->blob_bytes_in));
    buf_printf(out, "merod_blob_bytes_total{direction=\"out\"} %llu\n",
               atomic_load(&m->blob_bytes_out));
}

/* The second number of /proc/self/statm: resident pages. */
static unsigned long long resident_bytes(void)
{
    struct buf text BUF_AUTO = BUF_INIT(256);
    if (!file_read("/proc/self/statm", &text, NULL))
        return 0;
    unsigned long long pages = 0;
    size_t i = 0;
    while (i < text.len && text.data[i] != ' ')
        i++;
    for (i++; i < text.len && text.data[i] >= '0' && text.data[i] <= '9'; i++)
        pages = pages * 10 + (unsigned long long)(text.data[i] - '0');
    return pages * (unsigned long long)sysconf(_SC_PAGESIZE);
}

static unsigned open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    if (dir == NULL)
        return 0;
    unsigned count = 0;
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count > 3 ? count - 3 : 0; /* ".", ".." and the directory itself */
}

static void write_process(int64_t started_s, struct buf *out)
{
    struct rusage usage = {0};
    (void)getrusage(RUSAGE_SELF, &usage);
    double cpu_s = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                   (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    family(out, "process_cpu_seconds", "counter", "User and system CPU time.");
    buf_printf(out, "process_cpu_seconds_total %.3f\n", cpu_s);
    family(out, "process_resident_memory_bytes", "gauge", "Resident memory.");
    buf_printf(out, "process_resident_memory_bytes %llu\n", resident_bytes());
    family(out, "process_open_fds", "gauge", "Open file descriptors.");
    buf_printf(out, "process_open_fds %u\n", open_descriptors());
    family(out, "process_start_time_seconds", "gauge", "Start of the process, Unix time.");
    buf_printf(out, "process_start_time_seconds %lld\n", (long long)started_s);
}

bool admin_metrics_write(struct admin_metrics *m, const struct admin_gauges *gauges,
                         struct buf *out)
{
    family(out, "merod_build", "info", "The running build.");
    buf_printf(out, "merod_build_info{version=\"%s\"} 1\n", MERO_VERSION);
    family(out, "merod_ready", "gauge", "1 while the node serves.");
    buf_printf(out, "merod_ready %d\n", gauges->ready ? 1 : 0);
    family(out, "merod_store_encrypted", "gauge", "1 when the open store is encrypted.");
    buf_printf(out, "merod_store_encrypted %d\n", gauges->store_encrypted ? 1 : 0);
    write_requests(m, out);
    write_counters(m, out);
    write_process(gauges->started_s, out);
    buf_append_str(out, "# EOF\n");
    return !out->failed;
}
