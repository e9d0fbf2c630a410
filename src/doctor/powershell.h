/* SPDX-License-Identifier: MIT */
/* doctor/powershell.h - words of PowerShell that stand for themselves. */
#ifndef DOCTOR_POWERSHELL_H
#define DOCTOR_POWERSHELL_H

#include <stddef.h>

/*
 * text in single quotes, with those in it doubled (about_Quoting_Rules; the
 * typographic ones count as well). Cut if it does not fit. Returns out.
 */
const char *powershell_quote(const char *text, char *out, size_t cap);

/* The same where * ? [ ] and ` would be wildcards: they get a ` in front. */
const char *powershell_pattern(const char *text, char *out, size_t cap);

#endif
