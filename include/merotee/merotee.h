/* libmerotee: everything. */
#ifndef MEROTEE_MEROTEE_H
#define MEROTEE_MEROTEE_H

#include <merotee/collateral.h>
#include <merotee/dcap.h>
#include <merotee/error.h>
#include <merotee/policy.h>
#include <merotee/quote.h>

#endif
