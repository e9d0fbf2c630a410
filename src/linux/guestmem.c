/* SPDX-License-Identifier: MIT */
#include "linux/guestmem.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

/* All that is mapped: whose memory a bus error may be of. */
static struct guestmem *caught;

static void list(struct guestmem *m)
{
	if (m->listed)
		return;
	m->next = caught;
	m->listed = true;
	caught = m;
}

static void unlist(struct guestmem *m)
{
	struct guestmem **at = &caught;

	if (!m->listed)
		return;
	while (*at != m)
		at = &(*at)->next;
	*at = m->next;
	m->listed = false;
}

static bool wraps(uint64_t at, uint64_t len)
{
	return at + len < at;
}

static bool overlap(uint64_t a, uint64_t b, uint64_t a_len, uint64_t b_len)
{
	return a < b + b_len && b < a + a_len;
}

/* Why there can be no such region: 0 if there can. */
static int refuse(const struct guestmem *m, const struct guestmem_place *p)
{
	uint64_t all = p->bytes;

	if (m->n == GUESTMEM_REGIONS_MAX)
		return -ENOSPC;
	if (!p->bytes || p->bytes > GUESTMEM_BYTES_MAX ||
	    wraps(p->guest, p->bytes) || wraps(p->user, p->bytes) ||
	    p->offset > GUESTMEM_BYTES_MAX)
		return -EINVAL;
	for (unsigned i = 0; i < m->n; i++) {
		const struct guestmem_region *r = &m->region[i];

		if (overlap(r->guest, p->guest, r->bytes, p->bytes) ||
		    overlap(r->user, p->user, r->bytes, p->bytes))
			return -EINVAL;
		all += r->bytes;
	}
	return all > GUESTMEM_BYTES_MAX ? -ENOSPC : 0;
}

int guestmem_add(struct guestmem *m, const struct guestmem_place *p, int fd)
{
	/* From the file's start: an offset may be no multiple of a huge page. */
	const size_t bytes = (size_t)(p->bytes + p->offset);
	const int rc = refuse(m, p);
	void *map;

	if (rc < 0)
		return rc;
	map = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	(void)madvise(map, bytes, MADV_DONTDUMP);
	list(m);
	m->region[m->n++] = (struct guestmem_region){
		.guest = p->guest, .user = p->user, .bytes = p->bytes,
		.at = (uint8_t *)map + p->offset,
		.map = map, .map_bytes = bytes,
	};
	return 0;
}

int guestmem_remove(struct guestmem *m, const struct guestmem_place *p)
{
	for (unsigned i = 0; i < m->n; i++) {
		struct guestmem_region *r = &m->region[i];

		if (r->guest != p->guest || r->user != p->user ||
		    r->bytes != p->bytes)
			continue;
		munmap(r->map, r->map_bytes);
		*r = m->region[--m->n];
		return 0;
	}
	return -ENOENT;
}

static void end_log(struct guestmem *m)
{
	if (m->log)
		munmap(m->log_map, m->log_map_bytes);
	m->log = NULL;
	m->log_bytes = 0;
}

void guestmem_clear(struct guestmem *m)
{
	while (m->n) {
		m->n--;
		munmap(m->region[m->n].map, m->region[m->n].map_bytes);
	}
	end_log(m);
	unlist(m);
	m->gone = false;
}

int guestmem_log_to(struct guestmem *m, uint64_t bytes, uint64_t offset,
		    int fd)
{
	void *map;

	end_log(m);
	if (fd < 0)
		return 0;
	if (!bytes || bytes > GUESTMEM_BYTES_MAX ||
	    offset > GUESTMEM_BYTES_MAX)
		return -EINVAL;
	map = mmap(NULL, (size_t)(bytes + offset), PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	list(m);
	m->log_map = map;
	m->log_map_bytes = (size_t)(bytes + offset);
	m->log = (uint8_t *)map + offset;
	m->log_bytes = (size_t)bytes;
	return 0;
}

void *guestmem_at(const struct guestmem *m, uint64_t guest, size_t *len)
{
	for (unsigned i = 0; i < m->n; i++) {
		const struct guestmem_region *r = &m->region[i];
		const uint64_t at = guest - r->guest;

		if (guest < r->guest || at >= r->bytes)
			continue;
		if (*len > r->bytes - at)
			*len = (size_t)(r->bytes - at);
		return r->at + at;
	}
	return NULL;
}

void *guestmem_of_user(const struct guestmem *m, uint64_t user, size_t len)
{
	for (unsigned i = 0; i < m->n; i++) {
		const struct guestmem_region *r = &m->region[i];
		const uint64_t at = user - r->user;

		if (user >= r->user && at < r->bytes && len <= r->bytes - at)
			return r->at + at;
	}
	return NULL;
}

void guestmem_wrote_at(const struct guestmem *m, uint64_t guest, size_t len)
{
	if (!m->log || !len || wraps(guest, len))
		return;
	for (uint64_t page = guest / GUESTMEM_PAGE;
	     page <= (guest + len - 1) / GUESTMEM_PAGE &&
	     page / 8 < m->log_bytes; page++)
		(void)__atomic_fetch_or(m->log + page / 8,
					(uint8_t)(1u << page % 8),
					__ATOMIC_RELEASE);
}

void guestmem_wrote(const struct guestmem *m, const void *p, size_t len)
{
	const uint8_t *at = p;

	for (unsigned i = 0; m->log && i < m->n; i++) {
		const struct guestmem_region *r = &m->region[i];

		if (at >= r->at && at < r->at + r->bytes)
			guestmem_wrote_at(m, r->guest + (uint64_t)(at - r->at),
					  len);
	}
}

/* Empty memory where there was some. false: it is not of there. */
static bool replace(void *map, size_t bytes, const void *fault)
{
	const uint8_t *from = map, *at = fault;

	return at >= from && at < from + bytes &&
	       mmap(map, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		    MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == map;
}

/* Is the fault in that machine's? Then it is mended. */
static bool mend(struct guestmem *m, const void *fault)
{
	bool found = false;

	for (unsigned i = 0; i < m->n && !found; i++)
		found = replace(m->region[i].map, m->region[i].map_bytes,
				fault);
	if (!found && m->log)
		found = replace(m->log_map, m->log_map_bytes, fault);
	if (found)
		m->gone = true;
	return found;
}

/*
 * The access is repeated on return, and finds the new memory. What is
 * nobody's is our own bug, and ends us.
 */
static void bus_error(int sig, siginfo_t *info, void *context)
{
	const int error = errno;
	struct guestmem *m = caught;

	(void)context;
	while (m && !mend(m, info->si_addr))
		m = m->next;
	if (!m)
		signal(sig, SIG_DFL);
	errno = error;
}

void guestmem_catch(void)
{
	struct sigaction sa = { .sa_sigaction = bus_error,
				.sa_flags = SA_SIGINFO };

	sigemptyset(&sa.sa_mask);
	sigaction(SIGBUS, &sa, NULL);
}
