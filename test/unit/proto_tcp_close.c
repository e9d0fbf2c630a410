/* SPDX-License-Identifier: MIT */
/* test/unit/proto_tcp_close.c - every (state, event), and what follows. */
#include "proto/tcp_close.h"

#include <stdbool.h>

#include "test.h"

static void check_pair(enum tcp_close_state s, enum tcp_close_event ev)
{
	const struct tcp_close_step st = tcp_close_step(s, ev);
	const unsigned end = TC_DO_RELEASE | TC_DO_ABORT;
	const bool enters_closed = s != TC_CLOSED && st.next == TC_CLOSED;
	/* A guest that has closed may answer something old by a RST. */
	const bool died = (ev == TC_EV_GUEST_RESET && s != TC_CLOSED) ||
			  ev == TC_EV_HOST_RESET || ev == TC_EV_TIMEOUT;

	CHECK("ends once", !enters_closed || (st.actions & end));
	CHECK("one end", (st.actions & end) != end);
	CHECK("reset only when it died", !!(st.actions & TC_DO_ABORT) == died);
	CHECK("a guest's reset is not answered",
	      ev != TC_EV_GUEST_RESET || !(st.actions & TC_DO_RST));
	CHECK("never both", !((st.actions & TC_DO_FIN) &&
			      (st.actions & TC_DO_RST)));
	CHECK("no way back", st.next >= s);
	CHECK("each FIN is acknowledged", ev != TC_EV_GUEST_FIN ||
	      s == TC_CLOSED || (st.actions & TC_DO_ACK));
}

/* How an orderly end goes, from each side first. */
static void check_path(const char *name, const enum tcp_close_event *ev,
		       unsigned n, bool shut, bool fin)
{
	enum tcp_close_state s = TC_OPEN;
	unsigned did = 0;

	for (unsigned i = 0; i < n; i++) {
		const struct tcp_close_step st = tcp_close_step(s, ev[i]);

		did |= st.actions;
		s = st.next;
	}
	CHECK(name, s == TC_CLOSED && (did & TC_DO_RELEASE));
	CHECK(name, !!(did & TC_DO_SHUT_WR) == shut);
	CHECK(name, !!(did & TC_DO_FIN) == fin);
}

void test_proto_tcp_close(void);
void test_proto_tcp_close(void)
{
	static const enum tcp_close_event guest_first[] = {
		TC_EV_GUEST_FIN, TC_EV_HOST_EOF, TC_EV_FIN_ACKED,
	};
	static const enum tcp_close_event host_first[] = {
		TC_EV_HOST_EOF, TC_EV_FIN_ACKED, TC_EV_GUEST_FIN,
	};
	static const enum tcp_close_event together[] = {
		TC_EV_HOST_EOF, TC_EV_GUEST_FIN, TC_EV_FIN_ACKED,
	};
	bool reached[TC_STATE_MAX] = { [TC_OPEN] = true };

	for (int s = TC_OPEN; s < TC_STATE_MAX; s++)
		for (int ev = 0; ev < TC_EV_MAX; ev++) {
			const enum tcp_close_state from = (enum tcp_close_state)s;
			const enum tcp_close_event e = (enum tcp_close_event)ev;

			check_pair(from, e);
			if (reached[s])
				reached[tcp_close_step(from, e).next] = true;
		}
	for (int s = TC_OPEN; s < TC_STATE_MAX; s++)
		CHECK("reachable", reached[s]);
	check_path("guest closes first", guest_first, 3, true, true);
	check_path("host closes first", host_first, 3, true, true);
	check_path("both at once", together, 3, true, true);
}
