/* The content type of a blob, guessed from its first bytes. Types that a browser would run (HTML,
 * SVG, scripts) are never guessed. */
#ifndef NODE_MIME_H
#define NODE_MIME_H

#include "base/bytes.h"

/* "application/octet-stream" when nothing fits. */
const char *mime_of(struct slice head);

#endif
