/* SPDX-License-Identifier: MIT */
/* base/ports.h - a list of ports and ranges of them. */
#ifndef BASE_PORTS_H
#define BASE_PORTS_H

#include <stdbool.h>
#include <stdint.h>

#define PORT_RANGES_MAX	64

struct port_range {
	uint16_t first, last;		/* both included */
};

struct port_list {
	unsigned n;
	struct port_range range[PORT_RANGES_MAX];
};

static inline bool port_list_has(const struct port_list *list, uint16_t port)
{
	for (unsigned i = 0; i < list->n; i++)
		if (port >= list->range[i].first &&
		    port <= list->range[i].last)
			return true;
	return false;
}

#endif
