/* SPDX-License-Identifier: MIT */
#include "config/settings.h"

#include <string.h>
#include <strings.h>

#include "base/nearest.h"

#define BOOLEAN "true or false"
#define PORTS	"ports and ranges such as 80,8000-8010"

const struct setting settings[] = {
	{ .option = "name", .letter = 'n', .argument = "NAME",
	  .take = value_name, .commands = FOR_NETWORK,
	  .accepts = "up to 32 of a-z, 0-9, '.', '_' and '-', "
		     "a letter or digit first",
	  .normal = "after COMMAND; of serve: vm; of attach: after the "
		    "process or file",
	  .help = "name of the guest; it keeps its addresses by it" },
	{ .option = "name", .letter = 'n', .argument = "NAME",
	  .take = value_name, .commands = FOR_FIREWALL | FOR_WHY,
	  .accepts = "the name of a guest that runs",
	  .normal = "the only one that runs",
	  .help = "which guest's network is meant" },
	{ .option = "config", .argument = "FILE",
	  .take = value_config_file, .commands = FOR_NETWORK,
	  .accepts = "the name of a file",
	  .help = "read settings from FILE, too" },
	{ .option = "subnet", .argument = "PREFIX",
	  .section = "network", .key = "subnet",
	  .take = value_subnet, .commands = FOR_NETWORK,
	  .accepts = "an IPv4 prefix such as 172.30.0.0/20",
	  .normal = "by name, from 172.16.0.0/12",
	  .help = "IPv4 subnet of the guest and its gateway" },
	{ .option = "address", .argument = "ADDR",
	  .section = "network", .key = "address",
	  .take = value_address, .commands = FOR_NETWORK,
	  .accepts = "an IPv4 address of the subnet",
	  .normal = "the second of the subnet",
	  .help = "IPv4 address of the guest" },
	{ .option = "mac", .argument = "MAC",
	  .section = "network", .key = "macAddress", .wsl = "wsl2",
	  .take = value_mac, .commands = FOR_NETWORK,
	  .accepts = "one such as 02:00:00:00:00:01",
	  .normal = "by name",
	  .help = "Ethernet address of the guest" },
	{ .option = "hostname", .argument = "NAME",
	  .section = "network", .key = "hostname",
	  .take = value_hostname, .commands = FOR_NETWORK,
	  .accepts = "letters, digits and hyphens, up to 64",
	  .normal = "the host's; of serve and attach: NAME",
	  .help = "host name inside" },
	{ .option = "mtu", .argument = "auto|BYTES",
	  .section = "network", .key = "mtu",
	  .take = value_mtu, .commands = FOR_NETWORK,
	  .accepts = "auto, or 1280 to 65520, from 68 without IPv6",
	  .normal = "auto: that of the host's route, also when it changes",
	  .help = "largest packet of the guest's interface" },
	{ .option = "dns", .argument = "ADDR[,ADDR...]",
	  .section = "dns", .key = "servers",
	  .take = value_dns, .commands = FOR_NETWORK,
	  .accepts = "addresses such as 192.0.2.53,2001:db8::53",
	  .normal = "the host's",
	  .help = "DNS servers that the gateway asks" },
	{ .option = "dns-domain", .argument = "DOMAIN=ADDR[,ADDR]",
	  .section = "dns", .key = "domain",
	  .take = value_dns_domain, .commands = FOR_NETWORK,
	  .accepts = "one such as example.com=192.0.2.53",
	  .help = "DNS servers for names below DOMAIN alone (again: one more)" },
	{ .option = "search", .argument = "DOMAIN[,DOMAIN...]",
	  .section = "dns", .key = "search",
	  .take = value_search, .commands = FOR_NETWORK,
	  .accepts = "domains such as example.com,example.net",
	  .normal = "the host's",
	  .help = "domains in which short names are looked up" },
	{ .option = "no-ipv6",
	  .take = value_no_ipv6, .commands = FOR_NETWORK,
	  .help = "IPv4 only" },
	{ .section = "network", .key = "ipv6", .wsl = "wsl2",
	  .take = value_ipv6, .accepts = BOOLEAN, .normal = "true",
	  .help = "carry IPv6" },
	{ .option = "localhost", .argument = "auto|off|PORTS",
	  .section = "network", .key = "localhost",
	  .take = value_localhost, .commands = FOR_NETWORK,
	  .accepts = "auto, off, or " PORTS,
	  .normal = "auto; of serve and attach: off",
	  .help = "which of the guest's ports the host has on localhost" },
	{ .option = "localhost-conflict", .argument = "tell|refuse",
	  .section = "network", .key = "localhostConflict",
	  .take = value_localhost_conflict, .commands = FOR_RUN,
	  .accepts = "tell or refuse",
	  .normal = "tell",
	  .help = "may the guest bind a port that localhost has already" },
	{ .section = "network", .key = "localhostForwarding", .wsl = "wsl2",
	  .take = value_localhost_forwarding, .accepts = BOOLEAN,
	  .normal = "true",
	  .help = "true: localhost = auto; false: localhost = off" },
	{ .section = "network", .key = "ignoredPorts", .wsl = "experimental",
	  .take = value_ignored_ports, .accepts = PORTS,
	  .help = "ports that localhost = auto leaves out" },
	{ .option = "publish", .letter = 'p',
	  .argument = "[ADDR:]PORT[-PORT][:GUESTPORT][/udp]|auto",
	  .section = "publish", .key = "ports",
	  .take = value_publish, .commands = FOR_NETWORK,
	  .accepts = "[ADDR:]PORT[-PORT][:GUESTPORT][/udp], such as 8080:80, "
		     "or auto",
	  .help = "give other machines a port of the guest's (again: one "
		  "more)" },
	{ .option = "host-access", .argument = "gateway|localhost|off|PORTS",
	  .section = "network", .key = "hostAccess",
	  .take = value_host_access, .commands = FOR_NETWORK,
	  .accepts = "gateway, localhost, off, or " PORTS,
	  .normal = "gateway; of serve and attach: off",
	  .help = "which of the host's services the guest may reach" },
	{ .option = "no-agent",
	  .take = value_no_agent, .commands = FOR_SERVE,
	  .help = "hear no slipway guest that runs in the machine" },
	{ .section = "network", .key = "agent",
	  .take = value_agent, .accepts = BOOLEAN, .normal = "true",
	  .help = "hear the slipway guest that runs in a virtual machine" },
	{ .option = "gateway", .argument = "ADDR",
	  .take = value_gateway, .commands = FOR_GUEST,
	  .accepts = "an address",
	  .normal = "that of the default route, of IPv4 first",
	  .help = "where the host is" },
	{ .option = "host-interface",
	  .section = "network", .key = "hostInterface",
	  .take = value_host_interface, .accepts = BOOLEAN,
	  .normal = "false", .commands = FOR_NETWORK,
	  .help = "give the host an interface on the network, too (as root)" },
	{ .option = "link-local",
	  .section = "network", .key = "linkLocal",
	  .take = value_link_local, .accepts = BOOLEAN, .normal = "false",
	  .commands = FOR_NETWORK,
	  .help = "carry 169.254.0.0/16 and fe80::/10, too" },
	{ .option = "keep-flows",
	  .section = "network", .key = "keepFlows",
	  .take = value_keep_flows, .accepts = BOOLEAN, .normal = "false",
	  .commands = FOR_NETWORK,
	  .help = "reset no connection because the host's route has moved" },
	{ .section = "network", .key = "generateHosts",
	  .take = value_generate_hosts, .accepts = BOOLEAN, .normal = "true",
	  .help = "give the guest an /etc/hosts that names the host" },
	{ .section = "network", .key = "generateResolvConf",
	  .take = value_generate_resolv_conf, .accepts = BOOLEAN,
	  .normal = "true",
	  .help = "give the guest an /etc/resolv.conf with the gateway" },
	{ .section = "network", .key = "autoProxy", .wsl = "wsl2",
	  .take = value_auto_proxy, .accepts = BOOLEAN, .normal = "true",
	  .help = "lead http_proxy and its kin to the gateway where they "
		  "name localhost" },
	{ .option = "profile", .argument = "private|public|domain",
	  .take = value_profile, .commands = FOR_NETWORK,
	  .accepts = "private, public or domain",
	  .normal = "what slipway firewall profile said last, else private",
	  .help = "which rules and defaults of the firewall are in force" },
	{ .section = "firewall", .key = "profile",
	  .take = value_file_profile,
	  .accepts = "private, public or domain", .normal = "private",
	  .help = "which rules and defaults of the firewall are in force, "
		  "where nothing was kept by slipway firewall profile" },
	{ .option = "allow", .argument = "NAME|PREFIX[,...]",
	  .section = "firewall", .key = "allow",
	  .take = value_allow, .commands = FOR_NETWORK,
	  .accepts = "names and addresses such as "
		     "*.example.com,192.0.2.0/24",
	  .help = "let the guest reach these and nothing else (again: more); "
		  "turns host access and localhost off, unless they are asked "
		  "for" },
	{ .section = "firewall", .key = "firewall", .wsl = "wsl2",
	  .take = value_firewall, .accepts = BOOLEAN, .normal = "true",
	  .help = "false: everything passes" },
	{ .section = "firewall", .key = "blockAction",
	  .take = value_block_action, .accepts = "drop or refuse",
	  .normal = "drop; with an allow list: refuse",
	  .help = "whether who is blocked is told so" },
	{ .section = "firewall", .key = "keepFlows",
	  .take = value_rules_keep_flows, .accepts = BOOLEAN, .normal = "false",
	  .help = "spare the flows that run when rules change" },
	{ .section = "firewall", .key = "log",
	  .take = value_log, .accepts = "a path that begins with /, or off",
	  .normal = "STATE/firewall/NAME.log",
	  .help = "file for what is blocked, as pfirewall.log" },
	{ .section = "firewall", .key = "logSize",
	  .take = value_log_size,
	  .accepts = "64K to 1024M", .normal = "4M",
	  .help = "size at which that file is put aside, to .old" },
	{ .section = "boot", .key = "command",
	  .take = value_boot_command,
	  .accepts = "a command of /bin/sh, up to 511 bytes",
	  .help = "start it in the guest of run or attach, as its network's "
		  "root, and await its end before COMMAND; in a network's "
		  "first machine by slipway guest" },
	{ .section = "guest NAME", .key = "address",
	  .take = value_guest_address,
	  .accepts = "an IPv4 address of the subnet",
	  .normal = "the first that is free; it is kept",
	  .help = "IPv4 address of the guest NAME, one of several" },
	{ .section = "guest NAME", .key = "macAddress",
	  .take = value_guest_mac,
	  .accepts = "one such as 02:00:00:00:00:01",
	  .normal = "by name",
	  .help = "Ethernet address by which that guest is known" },
	{ .section = "guest NAME", .key = "hostname",
	  .take = value_guest_hostname,
	  .accepts = "letters, digits and hyphens, up to 64",
	  .normal = "NAME",
	  .help = "host name of that guest, which others find it by" },
	{ .section = "guest NAME", .key = "bootCommand",
	  .take = value_guest_boot,
	  .accepts = "a command of /bin/sh, up to 511 bytes",
	  .help = "have slipway guest run it in that machine when it boots" },
	{ .section = "guest NAME", .key = "publish",
	  .take = value_guest_publish,
	  .accepts = "[ADDR:]PORT[-PORT][:GUESTPORT][/udp], such as 8080:80",
	  .help = "give other machines a port of that guest's; "
		  "127.0.0.1:PORT is the host's localhost" },
	{ .option = "isolate",
	  .section = "network", .key = "isolate",
	  .take = value_isolate, .accepts = BOOLEAN, .normal = "false",
	  .commands = FOR_NETWORK,
	  .help = "keep the guests of the network from reaching each other" },
	{ .option = "join", .argument = "NETWORK",
	  .take = value_join, .commands = FOR_RUN | FOR_ATTACH,
	  .accepts = "the name of a network that runs",
	  .help = "be one more guest of NETWORK, as long as both run" },
	{ .option = "qemu", .argument = "SOCK",
	  .take = value_qemu, .commands = FOR_SERVE,
	  .accepts = "the path of a Unix socket, up to 107 bytes",
	  .help = "listen at SOCK for QEMU's -netdev stream (again, or with "
		  "the next ones: one more machine)" },
	{ .option = "qemu-connect", .argument = "SOCK",
	  .take = value_qemu_connect, .commands = FOR_SERVE,
	  .accepts = "the path of a Unix socket, up to 107 bytes",
	  .help = "connect to QEMU's -netdev stream,server=on at SOCK, and "
		  "again" },
	{ .option = "qemu-dgram", .argument = "SOCK[,PEER]",
	  .take = value_qemu_dgram, .commands = FOR_SERVE,
	  .accepts = "one or two paths of Unix sockets, up to 107 bytes each",
	  .normal = "PEER is SOCK.vm",
	  .help = "be at SOCK for QEMU's -netdev dgram, which is at PEER" },
	{ .option = "vhost-user", .argument = "SOCK",
	  .take = value_vhost_user, .commands = FOR_SERVE,
	  .accepts = "the path of a Unix socket, up to 107 bytes",
	  .help = "listen at SOCK for -netdev vhost-user, the fastest" },
	{ .option = "fd", .argument = "FD",
	  .take = value_fd, .commands = FOR_SERVE,
	  .accepts = "the number of an open descriptor",
	  .help = "the socket FD, inherited, for QEMU's -netdev stream" },
	{ .option = "background",
	  .take = value_background, .commands = FOR_ATTACH,
	  .help = "return when the network is up, and go on behind" },
	{ .option = "pid-file", .argument = "FILE",
	  .take = value_pid_file, .commands = FOR_ATTACH,
	  .accepts = "the path of a file",
	  .help = "write our process id to FILE when the network is up" },
	{ .option = "root",
	  .take = value_root, .commands = FOR_RUN | FOR_EXEC,
	  .help = "be uid 0 inside (for ordinary users)" },
	{ .option = "ready-fd", .argument = "FD",
	  .take = value_ready_fd, .commands = FOR_NETWORK,
	  .accepts = "the number of an open descriptor",
	  .help = "write a line to FD and close it when the guest is up" },
	{ .option = "once",
	  .take = value_once, .commands = FOR_PUBLISH | FOR_FW_ADD |
		FOR_FW_EXCEPT | FOR_FW_ENABLE | FOR_FW_DISABLE | FOR_FW_IMPORT,
	  .help = "until the guest ends, and not again after" },
	{ .option = "check",
	  .take = value_check, .commands = FOR_FW_LIST,
	  .help = "tell only the rules without effect, and why" },
	{ .option = "from", .argument = "WHO",
	  .take = value_from, .commands = FOR_FW_EXCEPT,
	  .accepts = "an address, a prefix, a range, a word like LocalSubnet, "
		     "a guest's name, or 'network NAME'",
	  .help = "whom the block no longer holds for (again: one more)" },
	{ .option = "for", .argument = "TIME",
	  .take = value_for, .commands = FOR_FW_OFF,
	  .accepts = "a time such as 30s, 5m or 2h, up to 7 days",
	  .help = "on again by itself after TIME" },
	{ .option = "map", .argument = "PROGRAM=/PATH",
	  .take = value_map, .commands = FOR_FW_IMPORT,
	  .accepts = "the name, or the whole path, that the rules have, '=', "
		     "and the full path of the program here",
	  .help = "what a program of the rules is called here (again: one "
		  "more)" },
	{ .option = "dry-run",
	  .take = value_dry_run, .commands = FOR_FW_IMPORT,
	  .help = "print the rules as text and import nothing" },
	{ .option = "replace",
	  .take = value_replace, .commands = FOR_FW_ADD,
	  .help = "in place of the added rule of that name, if there is one" },
	{ .option = "keep-flows",
	  .take = value_spare_flows, .commands = FOR_FW_CHANGE,
	  .help = "spare the flows that live; the change is for new ones" },
	{ .option = "follow", .letter = 'f',
	  .take = value_follow, .commands = FOR_FW_LOG,
	  .help = "go on with what is added, until the guest ends" },
	{ .option = "last",
	  .take = value_last, .commands = FOR_WHY,
	  .help = "explain the latest flow that was blocked" },
	{ .option = "program", .argument = "PATH",
	  .take = value_program, .commands = FOR_WHY,
	  .accepts = "the full path of an executable",
	  .help = "suppose that this program has the socket" },
	{ .option = "json",
	  .take = value_json, .commands = FOR_STATUS | FOR_PORTS | FOR_FLOWS |
		FOR_DOCTOR | FOR_FIREWALL | FOR_WHY,
	  .help = "print JSON" },
	{ .option = "port", .argument = "PORT",
	  .take = value_doctor_port, .commands = FOR_DOCTOR,
	  .accepts = "a port from 1 to 65535",
	  .help = "a port of TCP of which to say why it is not reached" },
	{ .option = "program", .argument = "NAME",
	  .take = value_doctor_program, .commands = FOR_DOCTOR,
	  .accepts = "a name such as python.exe, or a whole path of Windows'",
	  .help = "in WSL2: the program of Windows' that is to be reached" },
	{ .option = "peer", .argument = "ADDR",
	  .take = value_doctor_peer, .commands = FOR_DOCTOR,
	  .accepts = "an address",
	  .help = "try how large packets may be on the way to ADDR, too" },
	{ .option = "quiet", .letter = 'q',
	  .take = value_quiet, .commands = FOR_NETWORK,
	  .help = "no greeting" },
	{ .option = "verbose", .letter = 'v',
	  .take = value_verbose, .commands = FOR_NETWORK,
	  .help = "tell what is read and passed over; keep the log" },
	{ .option = "help", .letter = 'h',
	  .take = value_help, .commands = FOR_ALL,
	  .help = "print this and end" },
	{ .option = "version",
	  .take = value_version, .commands = FOR_ALL,
	  .help = "print the version and end" },
};

const size_t settings_n = sizeof(settings) / sizeof(settings[0]);

const struct setting *setting_by_option(const char *name, size_t len,
					unsigned command)
{
	for (const struct setting *s = settings; s < settings + settings_n; s++)
		if (s->option && s->commands & command &&
		    strlen(s->option) == len && !memcmp(s->option, name, len))
			return s;
	return NULL;
}

const struct setting *setting_by_letter(char letter, unsigned command)
{
	for (const struct setting *s = settings; s < settings + settings_n; s++)
		if (letter && s->letter == letter && s->commands & command)
			return s;
	return NULL;
}

const struct setting *setting_by_key(const char *section, const char *key)
{
	for (const struct setting *s = settings; s < settings + settings_n; s++)
		if (s->key && !strcasecmp(s->key, key) &&
		    (!strcasecmp(s->section, section) ||
		     (s->wsl && !strcasecmp(s->wsl, section))))
			return s;
	return NULL;
}

const char *setting_nearest_option(const char *text, unsigned command)
{
	struct nearest n = { .text = text };

	for (const struct setting *s = settings; s < settings + settings_n; s++)
		if (s->option && s->commands & command)
			nearest_offer(&n, s->option);
	return n.best;
}

const char *setting_nearest_key(const char *section, const char *text)
{
	struct nearest n = { .text = text };

	for (const struct setting *s = settings; s < settings + settings_n; s++)
		if (s->key && !strcasecmp(s->section, section))
			nearest_offer(&n, s->key);
	return n.best;
}
