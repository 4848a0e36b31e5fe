/* Making a node directory. The configuration is written last: it is what marks a node as
 * initialized, so a failure before it leaves nothing that claims to be a node. */
#include "node/init.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "node/config_internal.h"
#include "node/dir_lock.h"
#include "node/init_file.h"
#include "node/machine.h"
#include "node/settings.h"
#include "store/store.h"
#include "toml/toml.h"

enum { DIR_MODE = 0700, FILE_MODE = 0600 };

void node_init_defaults(struct node_init_options *options)
{
    *options = (struct node_init_options){
        .boot_network = "calimero-dev",
        .swarm_host = "0.0.0.0,::",
        .swarm_port = 2428,
        .server_host = "127.0.0.1,::1",
        .server_port = 2528,
        .auth_mode = "proxy",
        .rendezvous_registrations_limit = 3,
        .relay_registrations_limit = 3,
        .autonat_probe_interval_s = 10,
        .autonat_max_candidates = 5,
        .mode = "standard",
    };
}

/* *exists: a node is there already and may be left alone. */
static bool look_at_existing(const struct node_init_options *o, bool *exists, struct error *err)
{
    NODE_CONFIG_AUTO struct node_config *config = NULL;
    *exists = node_config_exists(o->dir);
    if (!*exists || o->force || node_config_load(o->dir, &config, err))
        return true;
    return error_prefix(err, "Failed to load existing configuration");
}

/* What we are about to write must be something that `run` takes. */
static bool check_text(struct slice text, const char *dir, struct error *err)
{
    NODE_CONFIG_AUTO struct node_config *config = NULL;
    return node_config_parse(text, dir, &config, err) && config_validate_before_dirs(config, err);
}

/* The key of the new node, by the very plan that `run` will go by. Nothing is written yet. */
static bool fetch_key(struct slice text, const char *dir, struct secret *key, struct error *err)
{
    static const struct settings_overrides no_overrides;
    struct settings settings SETTINGS_AUTO = {0};
    struct dcap_verifier *verifier DCAP_VERIFIER_AUTO = NULL;
    struct quote_source *quotes __attribute__((cleanup(quote_source_close))) = NULL;
    struct keyrelease_failure failure;
    bool sealed = false;
    if (!settings_parse(text, dir, &settings, err) ||
        !settings_judge(&settings, &no_overrides, err) || !key_plan_announce(&settings.plan, err) ||
        !machine_open_quotes(settings.config, &settings.env, false, NULL, &quotes, err) ||
        !machine_open_verifier(settings.config, &settings.env, &verifier, err))
        return false;
    settings.plan.options.verifier = verifier;
    settings.plan.options.quotes = quotes;
    return keyrelease_fetch(&settings.plan.options, key, &sealed, &failure, err) ||
           error_prefix(err, "no key from the KMS, nothing was written");
}

static bool make_store(const char *dir, struct slice key, struct error *err)
{
    char data[PATH_TEXT_MAX], blobs[PATH_TEXT_MAX];
    struct store *store = NULL;
    if (!path_join(dir, "data", data, err) || !path_join(dir, "blobs", blobs, err))
        return false;
    struct store_options options = {
        .data_dir = data, .blob_dir = blobs, .key = key, .create = true};
    if (!store_open(&options, &store, err))
        return false;
    store_close(&store);
    return true;
}

/* Only a real directory is deleted, and none in which a merod is at work. */
static bool remove_existing(const char *dir, struct error *err)
{
    struct stat st;
    DIR_LOCK_AUTO int lock = -1;
    if (lstat(dir, &st) != 0)
        return error_set(err, "file/io", dir, "failed to stat existing path \"%s\": %s", dir,
                         strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return error_set(err, "file/exists", dir,
                         "refusing to remove \"%s\": expected a directory, found %s", dir,
                         S_ISLNK(st.st_mode) ? "a symlink" : "a non-directory");
    if (!dir_lock_take(dir, &lock, err))
        return false;
    if (!file_remove_tree(dir, err))
        return error_prefix(err, "failed to remove existing node home \"%s\"", dir);
    return true;
}

/* A directory that was there keeps its content and loses the eyes of others. */
static bool make_private_dir(const char *path, struct error *err)
{
    if (!file_make_dirs(path, DIR_MODE, err))
        return false;
    if (chmod(path, DIR_MODE) != 0)
        return error_set(err, "file/io", path, "failed to restrict permissions on \"%s\": %s", path,
                         strerror(errno));
    return true;
}

/* key: NULL = the first run makes the store. */
static bool write_node(const char *dir, struct slice text, const struct secret *key,
                       struct error *err)
{
    static const char *const store_dirs[] = {"data", "blobs"};
    char path[PATH_TEXT_MAX];
    if (!make_private_dir(dir, err))
        return false;
    for (size_t i = 0; i < sizeof store_dirs / sizeof store_dirs[0]; i++)
        if (!path_join(dir, store_dirs[i], path, err) || !make_private_dir(path, err))
            return false;
    if (key != NULL && !make_store(dir, secret_slice(key), err))
        return false;
    return path_join(dir, NODE_CONFIG_FILE, path, err) &&
           file_write_atomic(path, text, FILE_MODE, err);
}

/* A directory of ours alone goes away again with what failed: its store would have a key that
 * nobody can ask for, since the identity that may ask is not written. */
static bool write_new_node(const char *dir, struct slice text, const struct secret *key,
                           struct error *err)
{
    struct error ignored;
    bool ours = !file_exists(dir);
    if (write_node(dir, text, key, err))
        return true;
    if (ours && file_exists(dir) && !file_remove_tree(dir, &ignored))
        return error_prefix(err, "half of a node is left in \"%s\"", dir);
    return false;
}

bool node_init(const struct node_init_options *options, enum node_init_result *result,
               char peer_id[PEER_ID_TEXT_MAX], struct error *err)
{
    IDENTITY_AUTO struct identity *identity = NULL;
    BUF_AUTO struct buf text = BUF_INIT_SECRET(TOML_LEN_MAX);
    struct secret key SECRET_AUTO = {0};
    bool exists = false, with_key = options->kms_url != NULL;
    if (options->kms_policy_path != NULL && !with_key)
        return error_set(err, "usage", "--kms-policy", "'--kms-policy' needs '--kms-url'");
    if (!look_at_existing(options, &exists, err))
        return false;
    if (exists && !options->force) {
        *result = NODE_INIT_ALREADY;
        peer_id[0] = 0;
        return true;
    }
    if (!identity_generate(&identity, err) || !init_write_config(options, identity, &text, err) ||
        !(with_key ? fetch_key(buf_slice(&text), options->dir, &key, err)
                   : check_text(buf_slice(&text), options->dir, err)) ||
        (exists && !remove_existing(options->dir, err)) ||
        !write_new_node(options->dir, buf_slice(&text), with_key ? &key : NULL, err))
        return false;
    *result = NODE_INIT_CREATED;
    memcpy(peer_id, identity_peer_id(identity), PEER_ID_TEXT_MAX);
    return true;
}
