/* Readers and printers of single values, by kind. */
#ifndef KMS_CONFIG_VALUES_H
#define KMS_CONFIG_VALUES_H

#include "kms/config.h"

/* READ_IGNORED keeps what the member held and warns. */
enum read_result { READ_OK, READ_IGNORED, READ_BAD };
typedef enum read_result value_reader(const char *text, void *member, char why[KMS_TEXT_MAX]);
typedef void value_printer(const void *member, struct buf *out);

value_reader kms_read_plain, kms_read_trimmed, kms_read_listen, kms_read_admin, kms_read_bool,
    kms_read_number_lenient, kms_read_number_positive, kms_read_number, kms_read_redis,
    kms_read_prefix, kms_read_pin, kms_read_csv, kms_read_urls, kms_read_bindings, kms_read_cidrs,
    kms_read_path;
value_printer kms_print_text, kms_print_bool, kms_print_number, kms_print_redis, kms_print_pin,
    kms_print_list, kms_print_bindings, kms_print_cidrs;

/* "10.0.0.0/8", "::1"; host bits must be zero. */
bool kms_cidr_parse(struct slice text, struct kms_cidr *out) MUST_USE;
/* A literal address in the 16-byte form of struct kms_cidr. */
bool kms_address_parse(const char *text, uint8_t out[16]) MUST_USE;

#endif
