/* SPDX-License-Identifier: MIT */
/*
 * firewall/import.h - files that hold rules of a Windows.
 *
 *	reg query HKLM\SYSTEM\…\FirewallRules		> rules.txt
 *	reg export HKLM\SYSTEM\…\FirewallRules rules.reg
 *
 * or rule strings alone, one a line. UTF-16 of either order or UTF-8, with
 * a byte order mark or without; what is neither becomes U+FFFD. In a .reg
 * file a value is a string with escapes, or hex(1) over several lines; that
 * of REGEDIT4 is in bytes.
 */
#ifndef FIREWALL_IMPORT_H
#define FIREWALL_IMPORT_H

#include "firewall/windows.h"

#define IMPORT_MAX_BYTES (64u << 20)	/* of a file */

struct import_needs {
	struct rules_size set;		/* for the file's rules alone */
	size_t scratch_bytes;
};

/* What a file cannot exceed. false: it is longer than IMPORT_MAX_BYTES. */
MUST bool import_needs(struct view file, const struct windows_maps *maps,
		       struct import_needs *out);

struct import_result {
	unsigned rules, errors, skipped;
	unsigned broken;	/* characters that were none */
};

/* Add the rules of a file; scratch (lent) is written to. */
struct import_result import_read(struct rules *set, struct view file,
				 const struct windows_maps *maps,
				 const struct windows_sink *sink,
				 void *scratch);

#endif
