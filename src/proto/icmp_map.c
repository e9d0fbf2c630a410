/* SPDX-License-Identifier: MIT */
#include "proto/icmp_map.h"

enum icmp_error icmp_map(const struct env_net_error *e)
{
	enum icmp_error error;

	return icmp_error_read(ip_is4(&e->to.ip), e->type, e->code, &error) ?
	       error : ICMP_HOST_UNREACHABLE;
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
