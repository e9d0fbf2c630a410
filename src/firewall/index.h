/* SPDX-License-Identifier: MIT */
/*
 * firewall/index.h - the compiled form of a set of rules
 *
 * Theory of operation
 * ===================
 *
 * Rules of one direction and action are a group, in the order of the set.
 * A group is asked: which of you, the first first, match this flow?
 *
 * Each kind of condition is a dimension. The numbers of a dimension (ports,
 * addresses …) are cut into at most BINS_MAX bins at the edges of the
 * rules' ranges, its texts by a hash. Each bin has a row: one bit for each
 * rule of the group that may match what falls into the bin. The rows of the
 * flow's bins, ANDed, leave the candidates; few are not matches, and each is
 * checked exactly. So the index decides how long it takes, never what comes
 * out. With more edges than bins, several stretches share one, and a bin's
 * row says more than is true of each of them.
 *
 * A rule without a condition in a dimension is in every row (and in @any,
 * for flows that have no value there: ICMP has no ports). The remote end
 * may be given by ranges or by names: there the rows are ORed.
 *
 * Cost of a decision: n/64 words for each dimension that some rule asks
 * about, and the exact checks. Memory: at most BINS_MAX * n/8 bytes for each
 * dimension and group, sized by firewall_bytes() and taken from one block.
 *
 * What guests choose (names, programs, ports) decides which bin is looked
 * at; how full the bins are, the rules alone decide.
 */
#ifndef FIREWALL_INDEX_H
#define FIREWALL_INDEX_H

#include "firewall/firewall.h"
#include "firewall/range.h"

#define BINS_MAX 256

enum dimension {
	DIM_PROTOCOL, DIM_LOCAL_PORT, DIM_REMOTE_PORT, DIM_ICMP, DIM_LOCAL,
	DIM_REMOTE,
	DIM_EXCEPT,		/* has no rows: exceptions are looked up last */
	NUMBERS,
	DIM_NAME = NUMBERS,	/* ORed with DIM_REMOTE */
	DIM_GUEST, DIM_PROGRAM,
	DIMENSIONS
};

struct entry {
	uint32_t rule;			/* number in the set */
	uint32_t asks;			/* bits of enum dimension */
	uint32_t first[NUMBERS + 1];	/* its ranges: first[d]..first[d+1] */
};

struct rows {
	bool used;			/* some rule of the group asks */
	uint32_t n_bins, n_edges;
	struct key *edge;		/* bin i + 1 begins at edge i */
	uint64_t *bin;			/* n_bins rows */
	uint64_t *any;			/* rules that do not ask */
	uint64_t *asks;			/* those that do */
};

struct group {
	struct entry *entry;
	uint32_t n, words;
	struct rows dim[DIMENSIONS];
};

struct firewall {
	const struct rules *set;
	struct firewall_defaults defaults;
	struct range *range;
	uint8_t *finding;	/* of each rule: enum firewall_finding */
	struct group group[2][2];	/* by direction; block, allow */
};

/* The row of a bin; the one of texts that hash to it. */
const uint64_t *index_number_row(const struct group *g, enum dimension d,
				 struct key key);
const uint64_t *index_text_row(const struct group *g, enum dimension d,
			       const char *text);

/* A name's row: names and patterns below one domain share it. */
const uint64_t *index_name_row(const struct group *g, const char *name);

#endif
