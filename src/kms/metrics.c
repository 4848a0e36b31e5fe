/* Metrics of the KMS. */
#include "kms/metrics.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"

/* Upper bounds in microseconds, with the texts that Prometheus wants. */
static const struct {
    int64_t us;
    const char *le;
} bounds[KMS_HISTOGRAM_BUCKETS] = {
    {500, "0.0005"}, {1000, "0.001"}, {2000, "0.002"}, {5000, "0.005"},
    {10000, "0.01"}, {20000, "0.02"}, {50000, "0.05"}, {100000, "0.1"},
    {200000, "0.2"}, {500000, "0.5"}, {1000000, "1"},  {10000000, "10"},
};

const char *kms_endpoint_name(enum kms_endpoint endpoint)
{
    static const char *const names[] = {"challenge", "attest", "get_key"};
    return names[endpoint];
}

void kms_histogram_add(struct kms_histogram *h, int64_t took_us)
{
    size_t i = 0;
    while (i < KMS_HISTOGRAM_BUCKETS && took_us > bounds[i].us)
        i++;
    atomic_fetch_add(&h->buckets[i], 1);
    atomic_fetch_add(&h->sum_us, (unsigned long long)(took_us > 0 ? took_us : 0));
}

static int64_t slot_width(uint32_t ttl_s)
{
    return ttl_s / (KMS_OUTSTANDING_SLOTS - 1) + 1;
}

/* A slot is reused when its time is over; two threads at that moment may lose a count, which a
 * gauge can bear. */
void kms_metrics_issued(struct kms_metrics *m, int64_t now_s, uint32_t ttl_s)
{
    int64_t slot = now_s / slot_width(ttl_s);
    size_t at = (size_t)(slot % KMS_OUTSTANDING_SLOTS);
    long long seen = atomic_load(&m->slot_time[at]);
    if (seen != slot && atomic_compare_exchange_strong(&m->slot_time[at], &seen, slot))
        atomic_store(&m->slot_count[at], 0);
    atomic_fetch_add(&m->slot_count[at], 1);
}

unsigned long long kms_metrics_outstanding(struct kms_metrics *m, int64_t now_s, uint32_t ttl_s)
{
    unsigned long long count = 0;
    int64_t width = slot_width(ttl_s);
    for (size_t i = 0; i < KMS_OUTSTANDING_SLOTS; i++)
        if ((atomic_load(&m->slot_time[i]) + 1) * width > now_s - (int64_t)ttl_s)
            count += atomic_load(&m->slot_count[i]);
    return count;
}

/* ---- text ---- */

static void head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void gauge(struct buf *out, const char *name, const char *help, int64_t value)
{
    if (value < 0)
        return;
    head(out, name, "gauge", help);
    buf_printf(out, "%s %lld\n", name, (long long)value);
}

static void counter(struct buf *out, const char *name, const char *help, unsigned long long value)
{
    head(out, name, "counter", help);
    buf_printf(out, "%s %llu\n", name, value);
}

static void histogram(struct buf *out, const char *name, const char *help,
                      const struct kms_histogram *h)
{
    unsigned long long total = 0;
    head(out, name, "histogram", help);
    for (size_t i = 0; i < KMS_HISTOGRAM_BUCKETS; i++) {
        total += atomic_load(&h->buckets[i]);
        buf_printf(out, "%s_bucket{le=\"%s\"} %llu\n", name, bounds[i].le, total);
    }
    total += atomic_load(&h->buckets[KMS_HISTOGRAM_BUCKETS]);
    buf_printf(out, "%s_bucket{le=\"+Inf\"} %llu\n", name, total);
    buf_printf(out, "%s_sum %.6f\n%s_count %llu\n", name, (double)atomic_load(&h->sum_us) / 1e6,
               name, total);
}

static void answers(const struct kms_metrics *m, struct buf *out)
{
    head(out, "mero_kms_requests_total", "counter", "Answered requests by endpoint and error tag.");
    for (unsigned e = 0; e < KMS_ENDPOINT_COUNT; e++)
        for (unsigned t = 0; t < KMS_TAG_COUNT; t++) {
            unsigned long long count = atomic_load(&m->answers[e][t]);
            if (count > 0 || t == KMS_OK)
                buf_printf(out, "mero_kms_requests_total{endpoint=\"%s\",code=\"%s\"} %llu\n",
                           kms_endpoint_name((enum kms_endpoint)e), kms_tag_name((enum kms_tag)t),
                           count);
        }
    head(out, "mero_kms_key_releases_total", "counter", "Decisions on key requests.");
    buf_printf(out, "mero_kms_key_releases_total{result=\"sealed\",code=\"ok\"} %llu\n",
               atomic_load(&m->released_sealed));
    buf_printf(out, "mero_kms_key_releases_total{result=\"clear\",code=\"ok\"} %llu\n",
               atomic_load(&m->released_clear));
    for (unsigned t = KMS_OK + 1; t < KMS_TAG_COUNT; t++) {
        unsigned long long count = atomic_load(&m->answers[KMS_AT_GET_KEY][t]);
        if (count > 0)
            buf_printf(out, "mero_kms_key_releases_total{result=\"refused\",code=\"%s\"} %llu\n",
                       kms_tag_name((enum kms_tag)t), count);
    }
}

/* The second number of statm: pages. */
static int64_t resident_bytes(void)
{
    struct buf text BUF_AUTO = BUF_INIT(65536);
    if (!file_read("/proc/self/statm", &text, NULL) || buf_cstr(&text) == NULL)
        return -1;
    const char *pages = strchr(buf_cstr(&text), ' ');
    int64_t count = 0;
    for (size_t i = 1; pages != NULL && pages[i] >= '0' && pages[i] <= '9'; i++)
        count = count * 10 + (pages[i] - '0');
    return count * sysconf(_SC_PAGESIZE);
}

static void process(const struct kms_metrics *m, struct buf *out)
{
    struct rusage use;
    if (getrusage(RUSAGE_SELF, &use) == 0) {
        double cpu = (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
                     (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
        head(out, "process_cpu_seconds_total", "counter", "CPU time used.");
        buf_printf(out, "process_cpu_seconds_total %.6f\n", cpu);
    }
    gauge(out, "process_resident_memory_bytes", "Resident memory.", resident_bytes());
    gauge(out, "process_start_time_seconds", "Start of the process, Unix time.", m->started_s);
}

static void dangers(const struct kms_gauges *g, struct buf *out)
{
    head(out, "mero_kms_insecure_setting", "gauge",
         "1 for each setting that is switched to its insecure side.");
    buf_printf(out, "mero_kms_insecure_setting{setting=\"clear_key_release\"} %d\n",
               g->insecure_clear);
    buf_printf(out, "mero_kms_insecure_setting{setting=\"policy_not_enforced\"} %d\n",
               g->insecure_unenforced);
    buf_printf(out, "mero_kms_insecure_setting{setting=\"mock_attestation\"} %d\n",
               g->insecure_mock);
}

bool kms_metrics_write(struct kms_metrics *m, const struct kms_gauges *g, struct buf *out)
{
    head(out, "mero_kms_build_info", "gauge", "Version of this program.");
    buf_printf(out, "mero_kms_build_info{version=\"%s\"} 1\n", MERO_VERSION);
    answers(m, out);
    histogram(out, "mero_kms_verify_duration_seconds", "Verification of a node's quote.",
              &m->verify);
    histogram(out, "mero_kms_agent_duration_seconds", "Calls of the dstack agent.", &m->agent);
    gauge(out, "mero_kms_challenges_outstanding", "Challenges issued within one lifetime.",
          (int64_t)kms_metrics_outstanding(m, clock_unix_s(), g->ttl_s));
    gauge(out, "mero_kms_challenges_used", "Challenges remembered as used.", g->used_challenges);
    gauge(out, "mero_kms_source_penalties_active", "Sources that are over their limit.",
          g->penalties);
    gauge(out, "mero_kms_in_flight_get_key", "Key requests under way.", g->in_flight_get_key);
    gauge(out, "mero_kms_in_flight_attest", "Attestations under way.", g->in_flight_attest);
    gauge(out, "mero_kms_policy_ready", "1 when keys can be decided on.", g->policy_ready);
    gauge(out, "mero_kms_self_verified", "1 when this platform's own quote verifies.",
          g->self_verified);
    gauge(out, "mero_kms_collateral_expiry_timestamp_seconds",
          "When the collateral of this platform expires, Unix time.", g->self_expiry_s);
    gauge(out, "mero_kms_audit_log_size_bytes", "Size of the audit log.", g->audit_size);
    counter(out, "mero_kms_audit_dropped_total", "Refusals that were counted, not recorded.",
            atomic_load(&m->audit_dropped));
    dangers(g, out);
    process(m, out);
    return !out->failed;
}
