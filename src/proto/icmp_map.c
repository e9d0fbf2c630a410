/* SPDX-License-Identifier: MIT */
#include "proto/icmp_map.h"

enum icmp_error icmp_map(const struct env_dgram_error *e)
{
	const bool v4 = ip_is4(&e->to.ip);

	if (v4 && e->type == 3) {
		switch (e->code) {
		case 0: return ICMP_NET_UNREACHABLE;
		case 2: return ICMP_PROTO_UNREACHABLE;
		case 3: return ICMP_PORT_UNREACHABLE;
		case 4: return ICMP_TOO_BIG;
		case 9: case 10: case 13: return ICMP_PROHIBITED;
		default: return ICMP_HOST_UNREACHABLE;
		}
	}
	if (v4)
		return e->type == 11 ? ICMP_TTL_EXCEEDED :
				       ICMP_HOST_UNREACHABLE;
	if (e->type == 1) {
		switch (e->code) {
		case 0: return ICMP_NET_UNREACHABLE;
		case 1: return ICMP_PROHIBITED;
		case 4: return ICMP_PORT_UNREACHABLE;
		default: return ICMP_HOST_UNREACHABLE;
		}
	}
	return e->type == 2 ? ICMP_TOO_BIG : e->type == 3 ?
	       ICMP_TTL_EXCEEDED : ICMP_HOST_UNREACHABLE;
}

bool icmp_map_send(int env_error, enum icmp_error *out)
{
	switch ((enum env_error)env_error) {
	case ENV_NET_UNREACHABLE:
		*out = ICMP_NET_UNREACHABLE;
		return true;
	case ENV_HOST_UNREACHABLE:
		*out = ICMP_HOST_UNREACHABLE;
		return true;
	case ENV_ACCESS:
		*out = ICMP_PROHIBITED;
		return true;
	case ENV_AGAIN: case ENV_REFUSED: case ENV_TIMED_OUT:
	case ENV_RESET: case ENV_LIMIT: case ENV_TOO_BIG: case ENV_OTHER:
	default:		/* lost, or told by the error queue */
		return false;
	}
}
