/* SPDX-License-Identifier: MIT */
/* doctor/dnsanswer.h - what an answer of DNS says, as far as a probe asks. */
#ifndef DOCTOR_DNSANSWER_H
#define DOCTOR_DNSANSWER_H

#include <stdbool.h>

#include "base/check.h"
#include "base/span.h"
#include "doctor/probe.h"

/**
 * dnsanswer_parse() - read what came for a query
 * @msg:	anything, borrowed
 * @query:	header and question that were sent, at least 17 bytes
 * @out:	written on success only
 *
 * Names that are compressed, or longer than there is room for, are left out;
 * so are records behind one that is not whole.
 *
 * Return: false if it does not answer that query.
 */
MUST bool dnsanswer_parse(struct view msg, struct view query,
			  struct probe_answer *out);

#endif
