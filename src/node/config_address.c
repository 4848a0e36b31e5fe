/* Multiaddrs: "/protocol/value/protocol/value...". */
#include "node/config_address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/codec.h"

enum value_kind {
    VALUE_NONE,
    VALUE_IP4,
    VALUE_IP6,
    VALUE_NAME, /* dns names and other texts */
    VALUE_PORT,
    VALUE_PEER,
    VALUE_REST, /* everything behind it, slashes too */
};

static const struct protocol {
    const char *name;
    enum value_kind value;
} protocols[] = {
    {"ip4", VALUE_IP4},           {"ip6", VALUE_IP6},       {"tcp", VALUE_PORT},
    {"udp", VALUE_PORT},          {"dns", VALUE_NAME},      {"dns4", VALUE_NAME},
    {"dns6", VALUE_NAME},         {"dnsaddr", VALUE_NAME},  {"quic", VALUE_NONE},
    {"quic-v1", VALUE_NONE},      {"p2p", VALUE_PEER},      {"p2p-circuit", VALUE_NONE},
    {"ws", VALUE_NONE},           {"wss", VALUE_NONE},      {"tls", VALUE_NONE},
    {"noise", VALUE_NONE},        {"sni", VALUE_NAME},      {"http", VALUE_NONE},
    {"https", VALUE_NONE},        {"webrtc", VALUE_NONE},   {"webrtc-direct", VALUE_NONE},
    {"webtransport", VALUE_NONE}, {"certhash", VALUE_NAME}, {"ip6zone", VALUE_NAME},
    {"memory", VALUE_NAME},       {"dccp", VALUE_PORT},     {"sctp", VALUE_PORT},
    {"utp", VALUE_NONE},          {"udt", VALUE_NONE},      {"unix", VALUE_REST},
};

/* The part up to the next '/', copied with a NUL; *rest moves behind it. False when too long. */
static bool take_part(struct slice *rest, char *out, size_t size)
{
    size_t len = 0;
    while (len < rest->len && rest->data[len] != '/')
        len++;
    if (len >= size)
        return false;
    if (len > 0)
        memcpy(out, rest->data, len);
    out[len] = 0;
    *rest = slice_cut(*rest, len + 1, rest->len);
    return true;
}

static const struct protocol *protocol_named(const char *name)
{
    for (size_t i = 0; i < sizeof protocols / sizeof protocols[0]; i++)
        if (strcmp(protocols[i].name, name) == 0)
            return &protocols[i];
    return NULL;
}

/* The first host counts; written as the system would print it. */
static bool keep_ip(struct node_address *a, int family, const char *value)
{
    uint8_t bytes[16];
    char text[INET6_ADDRSTRLEN];
    if (inet_pton(family, value, bytes) != 1 || inet_ntop(family, bytes, text, sizeof text) == NULL)
        return false;
    if (a->host[0] == 0) {
        snprintf(a->host, sizeof a->host, "%s", text);
        a->is_ip = true;
    }
    return true;
}

static bool keep_name(struct node_address *a, const char *protocol, const char *value)
{
    if (value[0] == 0)
        return false;
    bool is_host = strcmp(protocol, "dns") == 0 || strcmp(protocol, "dns4") == 0 ||
                   strcmp(protocol, "dns6") == 0;
    if (is_host && a->host[0] == 0)
        snprintf(a->host, sizeof a->host, "%s", value);
    return true;
}

static bool keep_port(struct node_address *a, const char *protocol, const char *value)
{
    uint32_t number = 0;
    size_t len = strlen(value);
    for (size_t i = 0; i < len && number <= UINT16_MAX; i++)
        number = value[i] >= '0' && value[i] <= '9' ? number * 10 + (uint32_t)(value[i] - '0')
                                                    : UINT32_MAX;
    if (len == 0 || number > UINT16_MAX || a->port_count == NODE_ADDRESS_PORTS_MAX)
        return false;
    bool udp = strcmp(protocol, "udp") == 0;
    if (udp || strcmp(protocol, "tcp") == 0) {
        a->ports[a->port_count].udp = udp;
        a->ports[a->port_count++].number = (uint16_t)number;
    }
    return true;
}

/* A peer id is a multihash: an inlined public key (identity) or its SHA-256. */
static bool is_peer_id(const char *value)
{
    BUF_AUTO struct buf raw = BUF_INIT(BASE58_BYTES_MAX);
    if (value[0] == 0 || !base58_decode_append(slice_str(value), &raw) || raw.len < 2)
        return false;
    bool is_identity = raw.data[0] == 0x00 && raw.data[1] <= 42;
    bool is_sha256 = raw.data[0] == 0x12 && raw.data[1] == 32;
    return (is_identity || is_sha256) && raw.len == 2u + raw.data[1];
}

static const char *keep_value(struct node_address *a, const struct protocol *p, const char *value)
{
    switch (p->value) {
    case VALUE_IP4:
        return keep_ip(a, AF_INET, value) ? NULL : "invalid IPv4 address";
    case VALUE_IP6:
        return keep_ip(a, AF_INET6, value) ? NULL : "invalid IPv6 address";
    case VALUE_PORT:
        return keep_port(a, p->name, value) ? NULL : "invalid port";
    case VALUE_PEER:
        return is_peer_id(value) ? NULL : "invalid peer ID";
    case VALUE_NAME:
        return keep_name(a, p->name, value) ? NULL : "empty value";
    default:
        return NULL;
    }
}

const char *address_parse(const char *text, struct node_address *out)
{
    struct node_address a = {.text = text};
    struct slice rest = slice_str(text);
    if (rest.len == 0 || rest.data[0] != '/')
        return "a multiaddr starts with '/'";
    if (rest.len > NODE_ADDRESS_TEXT_MAX)
        return "too long for a multiaddr";
    if (rest.data[rest.len - 1] == '/')
        return "a multiaddr does not end with '/'";
    rest = slice_cut(rest, 1, rest.len);
    while (rest.len > 0) {
        char name[32], value[NODE_HOST_MAX];
        const struct protocol *p =
            take_part(&rest, name, sizeof name) ? protocol_named(name) : NULL;
        if (p == NULL)
            return "unknown multiaddr protocol";
        a.ends_in_peer_id = p->value == VALUE_PEER;
        if (p->value == VALUE_REST)
            break;
        if (p->value != VALUE_NONE && !take_part(&rest, value, sizeof value))
            return "over-long value in a multiaddr";
        const char *why = p->value != VALUE_NONE ? keep_value(&a, p, value) : NULL;
        if (why != NULL)
            return why;
    }
    *out = a;
    return NULL;
}

void node_address_endpoint(const struct node_address *address, char out[NODE_LISTEN_TEXT_MAX])
{
    bool bracketed = strchr(address->host, ':') != NULL;
    snprintf(out, NODE_LISTEN_TEXT_MAX, "%s%s%s:%u", bracketed ? "[" : "", address->host,
             bracketed ? "]" : "", address->port_count > 0 ? address->ports[0].number : 0u);
}
