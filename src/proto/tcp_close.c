/* SPDX-License-Identifier: MIT */
#include "proto/tcp_close.h"

static struct tcp_close_step go(enum tcp_close_state next, unsigned actions)
{
	return (struct tcp_close_step){ .next = next, .actions = actions };
}

/*
 * Orderly close, RFC 9293 section 3.6. One line is one transition.
 *
 * No default label: under -Wswitch-enum a new state or event does not
 * compile until every pair has been decided.
 */
static struct tcp_close_step orderly(enum tcp_close_state state,
				     enum tcp_close_event ev)
{
	const unsigned half = TC_DO_ACK | TC_DO_SHUT_WR;
	const unsigned last = TC_DO_ACK | TC_DO_SHUT_WR | TC_DO_RELEASE;

	switch (state) {
	case TC_OPEN:
		switch (ev) {
		case TC_EV_GUEST_FIN:	return go(TC_GUEST_DONE, half);
		case TC_EV_HOST_EOF:	return go(TC_HOST_DONE, TC_DO_FIN);
		case TC_EV_FIN_ACKED:	return go(state, 0);	/* sent none */
		case TC_EV_GUEST_RESET: case TC_EV_HOST_RESET:
		case TC_EV_TIMEOUT: case TC_EV_MAX: break;
		}
		break;
	case TC_GUEST_DONE:
		switch (ev) {
		case TC_EV_GUEST_FIN:	return go(state, TC_DO_ACK);	/* again */
		case TC_EV_HOST_EOF:	return go(TC_BOTH_DONE, TC_DO_FIN);
		case TC_EV_FIN_ACKED:	return go(state, 0);
		case TC_EV_GUEST_RESET: case TC_EV_HOST_RESET:
		case TC_EV_TIMEOUT: case TC_EV_MAX: break;
		}
		break;
	case TC_HOST_DONE:
		switch (ev) {
		case TC_EV_GUEST_FIN:	return go(TC_BOTH_DONE, half);
		case TC_EV_HOST_EOF:	return go(state, 0);
		case TC_EV_FIN_ACKED:	return go(TC_HOST_ACKED, 0);
		case TC_EV_GUEST_RESET: case TC_EV_HOST_RESET:
		case TC_EV_TIMEOUT: case TC_EV_MAX: break;
		}
		break;
	case TC_HOST_ACKED:
		switch (ev) {
		case TC_EV_GUEST_FIN:	return go(TC_CLOSED, last);
		case TC_EV_HOST_EOF:	return go(state, 0);
		case TC_EV_FIN_ACKED:	return go(state, 0);
		case TC_EV_GUEST_RESET: case TC_EV_HOST_RESET:
		case TC_EV_TIMEOUT: case TC_EV_MAX: break;
		}
		break;
	case TC_BOTH_DONE:
		switch (ev) {
		case TC_EV_GUEST_FIN:	return go(state, TC_DO_ACK);
		case TC_EV_HOST_EOF:	return go(state, 0);
		case TC_EV_FIN_ACKED:	return go(TC_CLOSED, TC_DO_RELEASE);
		case TC_EV_GUEST_RESET: case TC_EV_HOST_RESET:
		case TC_EV_TIMEOUT: case TC_EV_MAX: break;
		}
		break;
	case TC_CLOSED: case TC_STATE_MAX:
		break;
	}
	__builtin_trap();		/* only for values not in the enums */
}

struct tcp_close_step tcp_close_step(enum tcp_close_state state,
				     enum tcp_close_event ev)
{
	/*
	 * RFC 9293 section 3.5.2: no answer. Where both sides have closed, a
	 * RST answers something old: the host is still to get what it is owed.
	 */
	if (ev == TC_EV_GUEST_RESET)
		return go(TC_CLOSED, state == TC_CLOSED ? 0 : TC_DO_ABORT);
	if (ev == TC_EV_HOST_RESET || ev == TC_EV_TIMEOUT)
		return go(TC_CLOSED, state == TC_CLOSED ? TC_DO_ABORT :
						TC_DO_RST | TC_DO_ABORT);
	if (state == TC_CLOSED)
		return go(TC_CLOSED, 0);
	return orderly(state, ev);
}
