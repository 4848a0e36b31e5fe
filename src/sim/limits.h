/* Every ceiling of the simulator room, in one place. */
#ifndef SIM_LIMITS_H
#define SIM_LIMITS_H

enum {
    SIM_DER_MAX = 64 * 1024,        /* one certificate or CRL */
    SIM_CHAIN_MAX = 64 * 1024,      /* one PEM chain */
    SIM_DOCUMENT_MAX = 256 * 1024,  /* TCB info or QE identity text */
    SIM_COLLATERAL_MAX = 1 << 20,   /* the nine-member object */
    SIM_QUOTE_MAX = 256 * 1024,     /* one quote with its padding */
    SIM_LEVELS_MAX = 24,            /* TCB levels of one document */
    SIM_ADVISORIES_MAX = 8,         /* per level */
    SIM_MODULE_IDENTITIES_MAX = 8,  /* tdxModuleIdentities */
    SIM_MODULE_LEVELS_MAX = 8,      /* levels of one module identity, and of the QE identity */
    SIM_REVOKED_MAX = 80,           /* CRL entries */
    SIM_SERIAL_MAX = 20,            /* octets of a serial number (RFC 5280) */
    SIM_QE_AUTH_MAX = 1024,         /* QE authentication data */
    SIM_MACHINES_MAX = 16,          /* played by one process */
    SIM_MACHINE_NAME_MAX = 48,      /* with the NUL */
    SIM_EVENTS_MAX = 512,           /* event log entries of one machine */
    SIM_EVENT_NAME_MAX = 128,       /* with the NUL */
    SIM_EVENT_PAYLOAD_MAX = 4096,   /* bytes */
    SIM_COMPOSE_MAX = 16 * 1024,    /* app-compose text */
    SIM_AGENT_BODY_MAX = 10 << 20,  /* request to the agent: Rocket's limit of the real one */
    SIM_AGENT_REPLY_MAX = 4 << 20,  /* honest reply of the agent */
    SIM_OVERSIZED_REPLY = 64 << 20, /* what the "oversized" fault sends */
    SIM_SLOW_MAX_MS = 600 * 1000,   /* ceiling of a "slow" fault */
    SIM_TSM_ENTRIES_MAX = 64,       /* directories in the emulated configfs */
    SIM_STATE_FILE_MAX = 1 << 20,   /* JSON files of the state directory */
    SIM_CONTROL_BODY_MAX = 64 * 1024,
};

#endif
