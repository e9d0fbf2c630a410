/* SPDX-License-Identifier: MIT */
#include "base/hosts.h"

#include <string.h>

#define MAGIC 0x736f6831u

struct head {
	uint32_t magic, n, text_bytes, unused;
};

size_t hosts_bytes(uint32_t n, uint32_t text_bytes)
{
	return sizeof(struct head) + n * (sizeof(struct hosts_entry) +
					  sizeof(uint32_t)) + text_bytes;
}

static int compare_text(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return (unsigned char)*a - (unsigned char)*b;
}

static int compare_order(const struct hosts_entry *a,
			 const struct hosts_entry *b)
{
	return (a->name > b->name) - (a->name < b->name);
}

/* Of one name, IPv4 goes first. */
static int family(const struct hosts_entry *e)
{
	return !ip_is4(&e->ip);
}

static int compare_names(const struct hosts *h, uint32_t a, uint32_t b)
{
	const struct hosts_entry *x = &h->by_name[a], *y = &h->by_name[b];
	int c = compare_text(h->text + x->name, h->text + y->name);

	if (!c)
		c = family(x) - family(y);
	return c ? c : compare_order(x, y);
}

static int compare_ips(const struct hosts *h, uint32_t a, uint32_t b)
{
	const struct hosts_entry *x = &h->by_name[a], *y = &h->by_name[b];
	const int c = memcmp(&x->ip, &y->ip, sizeof(x->ip));

	return c ? c : compare_order(x, y);
}

typedef int compare(const struct hosts *h, uint32_t a, uint32_t b);

/* Let what lies at the root of a heap of n sink to its place. */
static void sink(const struct hosts *h, compare *cmp, uint32_t *heap,
		 uint32_t at, uint32_t n)
{
	const uint32_t v = heap[at];

	for (;;) {
		uint32_t child = 2 * at + 1;

		if (child >= n)
			break;
		if (child + 1 < n && cmp(h, heap[child], heap[child + 1]) < 0)
			child++;
		if (cmp(h, v, heap[child]) >= 0)
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = v;
}

/* Heap sort: no library in this layer, and no input makes it slow. */
static void sort(const struct hosts *h, compare *cmp, uint32_t *at, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		at[i] = i;
	for (uint32_t i = n / 2; i-- > 0;)
		sink(h, cmp, at, i, n);
	for (uint32_t i = n; i-- > 1;) {
		const uint32_t last = at[i];

		at[i] = at[0];
		at[0] = last;
		sink(h, cmp, at, 0, i);
	}
}

void hosts_make_table(void *block, const struct hosts_entry *entries,
		      uint32_t n, const char *text, uint32_t text_bytes)
{
	struct head *head = block;
	struct hosts_entry *sorted = (struct hosts_entry *)(void *)(head + 1);
	uint32_t *by_ip = (uint32_t *)(void *)(sorted + n);
	struct hosts h = { .by_name = entries, .text = text, .n = n };

	*head = (struct head){ .magic = MAGIC, .n = n,
			       .text_bytes = text_bytes };
	memcpy(by_ip + n, text, text_bytes);
	sort(&h, compare_names, by_ip, n);
	for (uint32_t i = 0; i < n; i++)
		sorted[i] = entries[by_ip[i]];
	h.by_name = sorted;
	sort(&h, compare_ips, by_ip, n);
}

bool hosts_open(struct view block, struct hosts *out)
{
	const struct head *head = (const void *)block.p;
	struct hosts h;

	if (block.len < sizeof(*head) || head->magic != MAGIC ||
	    block.len < hosts_bytes(head->n, head->text_bytes))
		return false;
	h.n = head->n;
	h.by_name = (const void *)(head + 1);
	h.by_ip = (const void *)(h.by_name + h.n);
	h.text = (const void *)(h.by_ip + h.n);
	*out = h;
	return true;
}

/* Where the name's entries of families from `first` on begin. */
static uint32_t find_name(const struct hosts *h, const char *name, int first)
{
	uint32_t low = 0, high = h->n;

	while (low < high) {
		const uint32_t mid = low + (high - low) / 2;
		const struct hosts_entry *e = &h->by_name[mid];
		const int c = compare_text(h->text + e->name, name);

		if (c < 0 || (!c && family(e) < first))
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

bool hosts_by_name(const struct hosts *h, const char *name,
		   struct hosts_found *out)
{
	const uint32_t v4 = find_name(h, name, 0);
	const uint32_t v6 = find_name(h, name, 1);
	const uint32_t end = find_name(h, name, 2);

	*out = (struct hosts_found){ .n4 = v6 - v4, .n6 = end - v6 };
	if (v4 < v6)
		out->v4 = &h->by_name[v4];
	if (v6 < end)
		out->v6 = &h->by_name[v6];
	return v4 < end;
}

const char *hosts_by_ip(const struct hosts *h, const struct ip *ip)
{
	uint32_t low = 0, high = h->n;

	while (low < high) {
		const uint32_t mid = low + (high - low) / 2;
		const struct hosts_entry *e = &h->by_name[h->by_ip[mid]];

		if (memcmp(&e->ip, ip, sizeof(*ip)) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == h->n ||
	    !ip_equal(&h->by_name[h->by_ip[low]].ip, ip))
		return NULL;
	return h->text + h->by_name[h->by_ip[low]].name;
}
