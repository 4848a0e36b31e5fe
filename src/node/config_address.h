/* Multiaddrs as configuration has them (github.com/multiformats/multiaddr): read strictly, as far
 * as validation asks about them. Private to the configuration. */
#ifndef NODE_CONFIG_ADDRESS_H
#define NODE_CONFIG_ADDRESS_H

#include "node/config.h"

/* NULL when `text` is a multiaddr of known protocols; else what is wrong with it. out->text is
 * borrowed. */
const char *address_parse(const char *text, struct node_address *out);

#endif
