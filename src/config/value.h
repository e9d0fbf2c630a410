/* SPDX-License-Identifier: MIT */
/*
 * config/value.h - the texts that settings accept.
 *
 * Each function reads the whole of @text into @c, or leaves @c untouched
 * and says in a few words why not (a static string). Each returns NULL on
 * success.
 */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include "config/config.h"

typedef const char *value_fn(struct config *c, const char *text);

value_fn value_name;		/* [a-z0-9][a-z0-9._-]*, 32 characters */
value_fn value_config_file;
value_fn value_qemu;		/* as long as sun_path; one more */
value_fn value_qemu_connect;	/* likewise */
value_fn value_vhost_user;	/* likewise */
value_fn value_fd;		/* an open one */
value_fn value_qemu_dgram;	/* each of the two */
value_fn value_subnet;
value_fn value_address;
value_fn value_mac;
value_fn value_hostname;	/* RFC 1123 section 2.1 */
value_fn value_mtu;
value_fn value_ipv6, value_no_ipv6, value_agent, value_no_agent;
value_fn value_gateway;
value_fn value_dns;		/* addresses; commas or blanks between */
value_fn value_search;		/* domains; commas or blanks between */
value_fn value_localhost;	/* auto, off, ports */
value_fn value_localhost_conflict;	/* tell, refuse */
value_fn value_localhost_forwarding;	/* bool: auto or off */
value_fn value_ignored_ports;
value_fn value_publish;		/* one or more are added */
value_fn value_host_access;
value_fn value_link_local;
value_fn value_isolate;
value_fn value_join;		/* a name */
/* Of the guest that is read: config_enter_guest(). */
value_fn value_guest_address, value_guest_mac, value_guest_hostname;
value_fn value_guest_publish;	/* one or more are added */
value_fn value_keep_flows;
value_fn value_profile, value_file_profile;
value_fn value_allow;		/* one or more are added; commas between */
value_fn value_firewall, value_rules_keep_flows;
value_fn value_block_action;	/* drop, refuse */
value_fn value_log;		/* an absolute path, or off */
value_fn value_log_size;	/* bytes, K or M behind it */
value_fn value_boot_command, value_guest_boot;
value_fn value_dns_domain;	/* one more */
value_fn value_generate_hosts, value_generate_resolv_conf;
value_fn value_auto_proxy, value_host_interface;
value_fn value_root, value_once, value_quiet, value_verbose, value_json;
value_fn value_help, value_version;
value_fn value_ready_fd;
value_fn value_pid_file, value_background;
value_fn value_doctor_port, value_doctor_program, value_doctor_peer;

/* Of firewall and why: config/verb.h. */
value_fn value_check, value_replace, value_dry_run, value_spare_flows;
value_fn value_follow, value_last, value_program;
value_fn value_for;		/* verb_duration() */
value_fn value_from, value_map;	/* one more */

/* May this be an instance's name? For names that come as operands. */
bool value_is_name(const char *text);

#endif
