/* Readers and printers of single values, by kind. */
#ifndef KMS_CONFIG_VALUES_H
#define KMS_CONFIG_VALUES_H

#include "kms/config.h"

/* READ_IGNORED keeps what the member held and warns. */
enum read_result { READ_OK, READ_IGNORED, READ_BAD };
typedef enum read_result value_reader(const char *text, void *member, char why[KMS_TEXT_MAX]);
typedef void value_printer(const void *member, struct buf *out);

value_reader read_plain, read_trimmed, read_listen, read_admin, read_bool, read_number_lenient,
    read_number_positive, read_number, read_redis, read_prefix, read_pin, read_csv, read_urls,
    read_bindings, read_cidrs, read_path;
value_printer print_text, print_bool, print_number, print_redis, print_pin, print_list,
    print_bindings, print_cidrs;

/* "10.0.0.0/8", "::1"; host bits must be zero. */
bool cidr_parse(struct slice text, struct kms_cidr *out) MUST_USE;
/* A literal address in the 16-byte form of struct kms_cidr. */
bool kms_address_parse(const char *text, uint8_t out[16]) MUST_USE;

#endif
