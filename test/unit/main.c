/* SPDX-License-Identifier: MIT */
/* test/unit/main.c - every unit test as a cmocka test of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "test.h"

unsigned test_failures;

#define TESTS(X)							\
	X(base_addr)							\
	X(base_csum)							\
	X(base_drop)							\
	X(base_rdwr)							\
	X(base_siphash)							\
	X(base_span)							\
	X(base_wheel)							\
	X(cmd_import)							\
	X(cmd_proxyenv)							\
	X(cmd_why)							\
	X(config_file)							\
	X(config_firewall)							\
	X(config_options)						\
	X(config_publish)							\
	X(config_verb)							\
	X(control_firewall)						\
	X(control_hostfw)						\
	X(control_http)							\
	X(control_status)						\
	X(doctor_dnsanswer)						\
	X(doctor_report)						\
	X(doctor_windows)						\
	X(engine_framed)						\
	X(engine_owners)						\
	X(engine_patience)						\
	X(engine_slept)							\
	X(engine_start)							\
	X(firewall_decide)						\
	X(firewall_import)						\
	X(firewall_random)						\
	X(firewall_text)						\
	X(flow_table)							\
	X(keeper_blocked)						\
	X(keeper_conflict)						\
	X(keeper_etctext)						\
	X(keeper_forwards)						\
	X(keeper_log)							\
	X(keeper_plan)							\
	X(keeper_programlinks)						\
	X(keeper_published)						\
	X(keeper_roster)						\
	X(keeper_rulebook)						\
	X(keeper_textfile)						\
	X(linux_channel)						\
	X(linux_listeners)						\
	X(linux_nlmsg)							\
	X(linux_nsswitch)						\
	X(linux_ownerhelper)						\
	X(linux_proclisteners)						\
	X(linux_procscan)						\
	X(linux_sockfind)						\
	X(linux_unread)							\
	X(linux_vhost)							\
	X(linux_vring)							\
	X(network_autoconf)						\
	X(network_batches)						\
	X(network_direct)						\
	X(network_flows)						\
	X(network_frames)						\
	X(network_gather)						\
	X(network_garbage)						\
	X(network_groups)						\
	X(network_guard)						\
	X(network_guests)						\
	X(network_names)						\
	X(network_offer)						\
	X(network_openings)						\
	X(network_paths)						\
	X(network_policy)						\
	X(network_switch)						\
	X(network_udp_offer)						\
	X(proto_crowd)							\
	X(proto_icmp_map)						\
	X(proto_guests)							\
	X(proto_ranges)							\
	X(proto_reassembly)						\
	X(proto_share)							\
	X(proto_tcp_close)						\
	X(proto_tcp_host)						\
	X(service_dhcp4)						\
	X(service_dhcp6)						\
	X(service_dns)							\
	X(service_dns_gate)						\
	X(wire_agent)							\
	X(wire_arp)							\
	X(wire_dns)							\
	X(wire_dns_chain)						\
	X(wire_eth)							\
	X(wire_icmp)							\
	X(wire_ip)							\
	X(wire_ndp)							\
	X(wire_offload)							\
	X(wire_tcp)							\
	X(wire_udp)

#define X(name)								\
	void test_##name(void);						\
	static void run_##name(void **state)				\
	{								\
		const unsigned before = test_failures;			\
									\
		(void)state;						\
		test_##name();						\
		assert_int_equal(test_failures - before, 0);		\
	}
TESTS(X)
#undef X

int main(void)
{
	const struct CMUnitTest tests[] = {
#define X(name) cmocka_unit_test_prestate(run_##name, NULL),
		TESTS(X)
#undef X
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
