/* A software TDX platform and a KMS on it, in this process, over real sockets; and a node's side to
 * ask with. Each kind of machine is there under its name: "kms", "node" (its registers are what the
 * KMS's policy allows), "stranger" (other registers). */
#ifndef SUPPORT_KMS_FIXTURE_H
#define SUPPORT_KMS_FIXTURE_H

#include "identity/identity.h"
#include "keyrelease/client.h"
#include "keyrelease/messages.h"
#include "kms/kms.h"
#include "sim/service.h"

enum { FIXTURE_SETTINGS_MAX = 64 };

struct kms_fixture {
    char dir[128];
    struct sim_service *sim;
    char pcs_url[128], root_pem[256];

    char settings[FIXTURE_SETTINGS_MAX][2048]; /* "NAME=value" */
    size_t setting_count;
    struct kms_config config;
    struct kms_findings findings;
    struct kms *kms;
    char url[64]; /* "http://127.0.0.1:PORT/" */
    char admin_socket[256];

    struct dcap_verifier *verifier; /* the node's */
    struct identity *identity;
    struct policy kms_policy; /* accepts the KMS as it is now */
};

/* The world alone: machines and collateral service. */
void fixture_open(struct kms_fixture *f);
void fixture_close(struct kms_fixture *f);
struct sim_machine *fixture_machine(struct kms_fixture *f, const char *name);
/* Sets a machine's scenario by words ("tcb:OutOfDate"), after clearing it; NULL clears only. */
void fixture_scenario(struct kms_fixture *f, const char *machine, const char *words);
void fixture_pcs_scenario(struct kms_fixture *f, const char *words);

/* Settings for the next start; later ones win. */
void fixture_set(struct kms_fixture *f, const char *name, const char *value);
/* The usual settings: everything that a sealed release needs, rate limits off. */
void fixture_defaults(struct kms_fixture *f);
/* Reads the settings; the configuration may be changed before fixture_start(). */
void fixture_configure(struct kms_fixture *f);
void fixture_start(struct kms_fixture *f);
void fixture_stop(struct kms_fixture *f);

/* Node options for this KMS, with the quotes of one machine. Free with fixture_node_free(). */
struct fixture_node {
    struct keyrelease_options options;
    struct quote_source *quotes;
};
void fixture_node(struct kms_fixture *f, const char *machine, struct fixture_node *out);
void fixture_node_free(struct fixture_node *node);

/* The key that the agent of the KMS derives for a path. */
void fixture_key(struct kms_fixture *f, const char *path, uint8_t out[32]);

/* One request to the KMS; the reply's status and body. */
struct fixture_reply {
    int status;
    char body[65536];
    char headers[4096];
};
void fixture_post(struct kms_fixture *f, const char *path, const char *body,
                  struct fixture_reply *out);
void fixture_request(struct kms_fixture *f, const char *request, struct fixture_reply *out);
/* GET on the admin socket. */
void fixture_admin(struct kms_fixture *f, const char *path, struct fixture_reply *out);

/* A key request in the making: what a node would send, each part open to change. */
struct fixture_proof {
    struct challenge_reply challenge;
    struct keyrelease_pair seal;
    bool sealed;
    uint8_t report_data[64];
    struct buf quote;
    uint8_t public_key[IDENTITY_PUBLIC_PROTOBUF_LEN];
    uint8_t signature[IDENTITY_SIGNATURE_LEN];
    char peer_id[256];
};
void fixture_challenge(struct kms_fixture *f, const char *peer_id, struct challenge_reply *out);
/* Challenge, quote by the machine, signature. */
void fixture_prove(struct kms_fixture *f, const char *machine, bool sealed,
                   struct fixture_proof *out);
/* Signs again after something was changed. */
void fixture_sign(struct kms_fixture *f, struct fixture_proof *p);
void fixture_proof_body(const struct fixture_proof *p, struct buf *out);
void fixture_get_key(struct kms_fixture *f, const struct fixture_proof *p,
                     struct fixture_reply *out);
void fixture_proof_free(struct fixture_proof *p);

/* Fails the test unless the reply has this status and this error tag. */
void fixture_expect(const struct fixture_reply *reply, int status, const char *tag);

#endif
