/* SPDX-License-Identifier: MIT */
#include "keeper/plan.h"

#include <stddef.h>
#include <string.h>

#define CANDIDATES	256u
#define FIRST_V4	0xac100000u	/* 172.16.0.0 */
#define SUBNET_BITS	20u
#define DEFAULT_NAME	"default"
#define DEFAULT_CANDIDATE 64u		/* 172.20.0.0/20 */

static uint32_t fnv1a_32(const char *s)
{
	uint32_t h = 0x811c9dc5u;

	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * 0x01000193u;
	return h;
}

/*
 * Of "role/name", so that what is derived from one name differs. FNV alone
 * leaves the middle bits of short names alike: hence the finaliser, which
 * is MurmurHash3's.
 */
static uint64_t hash64(const char *role, const char *name)
{
	const char *const parts[] = { role, "/", name };
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < 3; i++)
		for (const char *s = parts[i]; *s; s++)
			h = (h ^ (uint8_t)*s) * 0x100000001b3u;
	h = (h ^ h >> 33) * 0xff51afd7ed558ccdu;
	h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53u;
	return h ^ h >> 33;
}

static struct prefix candidate(uint32_t i)
{
	const uint32_t v4 = FIRST_V4 + ((i % CANDIDATES) << (32 - SUBNET_BITS));

	return (struct prefix){ .ip = ip_from_v4(v4), .bits = SUBNET_BITS };
}

static struct prefix choose(const char *name, plan_taken_fn *taken, void *ctx)
{
	const uint32_t first = strcmp(name, DEFAULT_NAME) ?
		fnv1a_32(name) % CANDIDATES : DEFAULT_CANDIDATE;

	for (uint32_t i = 0; i < CANDIDATES; i++) {
		const struct prefix p = candidate(first + i);

		if (!taken(ctx, &p))
			return p;
	}
	return candidate(first);
}

static struct prefix ula(const char *name)
{
	const uint64_t h = hash64("ula", name);
	struct prefix p = { .bits = 64 };

	p.ip.b[0] = 0xfd;
	for (unsigned i = 0; i < 5; i++)
		p.ip.b[1 + i] = (uint8_t)(h >> (8 * i));
	return p;
}

static struct mac local_mac(const char *role, const char *name)
{
	const uint64_t h = hash64(role, name);
	struct mac mac = { .b = { 0x02 } };

	for (unsigned i = 0; i < 5; i++)
		mac.b[1 + i] = (uint8_t)(h >> (8 * i));
	return mac;
}

static struct ip host_of(const struct prefix *p, uint8_t n)
{
	struct ip ip = p->ip;

	ip.b[15] = (uint8_t)(ip.b[15] + n);	/* bits <= 30: no carry */
	return ip;
}

void plan_derive(const char *name, plan_taken_fn *taken, void *ctx,
		 struct plan *out)
{
	out->net4 = choose(name, taken, ctx);
	out->net6 = ula(name);
	out->guest4 = host_of(&out->net4, 2);
	out->guest6 = host_of(&out->net6, 2);
	out->guest_mac = local_mac("guest", name);
}

int plan_override(struct plan *plan, const struct config *c,
		  struct fail *fail)
{
	struct plan p = *plan;
	struct config whole = *c;

	if (c->has_subnet) {
		p.net4 = c->subnet;
		p.guest4 = host_of(&p.net4, 2);
	}
	whole.has_subnet = true;
	whole.subnet = p.net4;
	if (config_check(&whole, fail) < 0)
		return -1;
	if (c->has_address)
		p.guest4 = c->address;
	if (c->has_mac)
		p.guest_mac = c->mac;
	*plan = p;
	return 0;
}

struct ip plan_gateway4(const struct plan *plan)
{
	return host_of(&plan->net4, 1);
}

struct ip plan_gateway6(const struct plan *plan)
{
	return host_of(&plan->net6, 1);
}

struct mac plan_guest_mac(const char *name)
{
	return local_mac("guest", name);
}

struct mac plan_gateway_mac(const char *name)
{
	return local_mac("gateway", name);
}
