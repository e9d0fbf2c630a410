/* SPDX-License-Identifier: MIT */
#include "scenarios.h"

#include <stddef.h>

#include "wire/tcp.h"

#define MS UINT64_C(1000000)

/* Beyond plain connections. */
static struct plan more(unsigned n, struct plan p, const char **name)
{
	struct plan_conn *c = &p.conn[0];

	switch (n) {
	case 18:
		*name = "the host resets after its FIN, nobody speaks";
		*c = plan_conn(0, 1000);
		c->guest_fin_ns = PLAN_NEVER;
		c->host_reset_ns = 1000 * MS;
		return p;
	case 19:
		*name = "frames are damaged";
		p.corrupt = 100;
		return p;
	case 20:
		*name = "the guest moves its window back";
		c->guest_shrinks = true;
		return p;
	case 21:
		*name = "both close at once";
		c->guest_fin_ns = c->host_fin_ns = 500 * MS;
		return p;
	case 22:
		*name = "an MSS of 1, no options";
		*c = plan_conn(3000, 3000);
		c->guest_mss = 1;
		c->guest_sack = false;
		c->guest_wscale = TCP_NO_WSCALE;
		return p;
	case 23:
		*name = "the host by its gateway's name, at the second try";
		c->via_gateway = c->first_refuses = true;
		return p;
	case 24:
		*name = "65,507 bytes by UDP, in fragments";
		p.chats = 1;
		p.chat[0] = (struct plan_chat){
			.ttl = 64, .batch = 1, .sends = 3, .replies = 2,
			.bytes = 1400, .reply_bytes = 65507, .gap_ns = 5 * MS,
		};
		return p;
	case 25:
		*name = "questions to resolvers of which one is silent";
		p.servers = 2;
		p.server[1] = (struct plan_server){ .answer = 1000 };
		p.asks = 4;
		c->questions = 4;
		return p;
	case 26:
		*name = "questions without a resolver";
		p.asks = 4;
		c->questions = 4;
		return p;
	case 27:
		*name = "pings, answered and not";
		p.pings = 3;
		for (unsigned i = 0; i < 3; i++)
			p.ping[i] = (struct plan_chat){
				.ttl = 64, .batch = 1, .sends = 4,
				.bytes = 56, .gap_ns = 1000 * MS,
				.via_gateway = i == 1,
				.peer = i == 2 ? PLAN_ERROR : PLAN_ECHO,
			};
		return p;
	case 28: case 29:
		*name = n == 28 ? "two frames lost are repaired without a wait" :
				  "likewise without SACK, one frame";
		*c = plan_conn(0, 2000000);
		c->guest_buffer = 4 << 20;
		c->guest_sack = n == 28;
		p.drop_data[0] = 30;
		p.drop_data[1] = n == 28 ? 32 : 0;
		p.end_ns = 150 * MS;
		return p;
	case 30:
		*name = "a batch of UDP longer than an IPv6 packet";
		p.mtu = 65520;
		p.chats = 1;
		p.chat[0] = (struct plan_chat){
			.v6 = true, .ttl = 64, .batch = 1, .sends = 10,
			.replies = 2, .bytes = 100, .reply_bytes = 32753,
			.gap_ns = 5 * MS,
		};
		return p;
	case 31:
		*name = "the clock leaps by hours in the midst of it";
		p.loss_to_guest = p.loss_to_gateway = 50;
		c->host_source = c->host_drain = 1000;
		p.jumps = 3;
		p.jump[0] = (struct plan_jump){ 20 * MS, 3600000 * MS };
		p.jump[1] = (struct plan_jump){ 50 * MS, 36000000 * MS };
		p.jump[2] = (struct plan_jump){ 80 * MS, 1000 * MS };
		return p;
	default:
		*name = NULL;
		return p;
	}
}

struct plan scenario(unsigned n, const char **name)
{
	struct plan p = plan_plain(plan_conn(100000, 100000));
	struct plan_conn *c = &p.conn[0];

	switch (n) {
	case 0:
		*name = "plain";
		return p;
	case 1:
		*name = "connection refused";
		c->connect = PLAN_REFUSE;
		return p;
	case 2:
		*name = "host unreachable";
		c->connect = PLAN_UNREACHABLE;
		return p;
	case 3:
		*name = "nobody answers";
		c->connect = PLAN_SILENT;
		return p;
	case 4:
		*name = "upload to a slow reader";
		c->up_bytes = 3000000;
		c->host_buffer = 16384;
		c->host_drain = 500;
		c->host_sleep_ns = 5000 * MS;
		return p;
	case 5:
		*name = "download by a guest that closes its window";
		c->down_bytes = 1000000;
		c->guest_buffer = 8192;
		c->guest_drain = 1000;
		c->guest_sleep_ns = 5000 * MS;
		return p;
	case 6:
		*name = "the window update is lost";
		c->down_bytes = 1000000;
		c->guest_buffer = 8192;
		c->guest_drain = 8192;
		c->guest_sleep_ns = 2000 * MS;
		p.drop_first_update = true;
		return p;
	case 7:
		*name = "the host answers after the guest's FIN";
		c->host_waits_for_fin = true;
		return p;
	case 8:
		*name = "the guest answers after the host's FIN";
		c->guest_waits_for_fin = true;
		return p;
	case 9:
		*name = "the host resets";
		c->host_reset_at = 50000;
		return p;
	case 10:
		*name = "the guest resets";
		c->guest_reset_at = 50000;
		return p;
	case 11:
		*name = "one frame of ten is lost";
		p.loss_to_guest = p.loss_to_gateway = 100;
		return p;
	case 12:
		*name = "one frame of ten is lost, without SACK";
		p.loss_to_guest = p.loss_to_gateway = 100;
		c->guest_sack = false;
		return p;
	case 13:
		*name = "no window scaling to speak of, 1 MiB each way";
		*c = plan_conn(1 << 20, 1 << 20);
		c->guest_wscale = 0;
		return p;
	case 14:
		*name = "empty";
		*c = plan_conn(0, 0);
		return p;
	case 15:
		*name = "little memory";
		p.no_memory = 800;
		c->host_buffer = 2000;
		c->host_drain = 300;
		return p;
	case 16:
		*name = "IPv6, MTU 65520";
		c->v6 = true;
		p.mtu = 65520;
		c->guest_buffer = 1 << 20;
		return p;
	case 17:
		*name = "noise";
		p.garbage = 5000;
		return p;
	default:
		return more(n, p, name);
	}
}
