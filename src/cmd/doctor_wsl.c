/* SPDX-License-Identifier: MIT */
/*
 * cmd/doctor_wsl.c - in a distribution of WSL: its network, and Windows'
 *
 * The way to Windows can be tried only with a server that is there, by
 * --port: one of our own would make Windows ask its user whether to let it
 * in, which is how the Block rules come about that hurt later. The way from
 * Windows is tried by its own curl.exe against a server of ours.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/doctor.h"
#include "cmd/doctor_windows.h"
#include "cmd/output.h"
#include "doctor/netif.h"
#include "doctor/probe.h"
#include "doctor/winfw.h"
#include "doctor/wintext.h"
#include "linux/netlink.h"
#include "linux/procfile.h"

#define FW	"HKLM\\SYSTEM\\CurrentControlSet\\Services\\SharedAccess\\" \
		"Parameters\\FirewallPolicy\\"
#define POLICY	"HKLM\\SOFTWARE\\Policies\\Microsoft\\WindowsFirewall\\"
#define VERSION	"HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion"

#define BUILD_11	22000u		/* Windows 11 */
#define BUILD_HYPERV	22621u		/* 22H2: mirrored, Hyper-V firewall */
#define RUN_MS		10000
#define POWERSHELL_MS	20000
#define CURL_MS		15000
#define TCP_MS		3000
#define HERE_MS		500
#define LISTENERS	8

struct wsl {
	struct doctor *d;
	struct windows windows;
	bool interop;			/* Windows' programs are there */
	unsigned long build;		/* of Windows; 0: not known */
	enum wsl_mode mode;		/* that is in force */
	struct wslconfig config;
	bool has_config;
	struct winfw_flow flow;		/* guest, host, subnet: if nat */
	bool has_flow;
	char program[256];		/* that listens at --port */
};

/* ---- where are we ---- */

bool doctor_is_wsl(void)
{
	char release[256];

	if (getenv("WSL_DISTRO_NAME") || getenv("WSL_INTEROP"))
		return true;
	return procfile_read("/proc/sys/kernel/osrelease", release,
			     sizeof(release)) > 0 &&
	       strcasestr(release, "microsoft");
}

/* What wslinfo says; it came with WSL 2.0.4. */
static enum wsl_mode told_mode(void)
{
	char path[PATH_MAX], *text = NULL;
	const char *const argv[] = { path, "--networking-mode", NULL };
	enum wsl_mode mode = WSL_MODE_UNKNOWN;

	if (windows_in_path("wslinfo", path, sizeof(path)) &&
	    output_beside(argv, RUN_MS, &text) == 0)
		mode = wsl_mode_of(text);
	free(text);
	return mode;
}

static unsigned long build_of(struct windows *w)
{
	char *text = windows_reg(w, VERSION, "CurrentBuildNumber");
	char number[16];
	unsigned long build = 0;

	if (text && reg_text(text, "CurrentBuildNumber", number,
			     sizeof(number)))
		build = strtoul(number, NULL, 10);
	free(text);
	return build;
}

static void learn(struct wsl *w)
{
	char *text = NULL;

	w->interop = windows_find(&w->windows);
	if (w->interop) {
		w->build = build_of(&w->windows);
		text = windows_wslconfig(&w->windows);
		w->interop = !w->windows.dead;
	}
	w->has_config = text;
	wslconfig_parse(text ? text : "", &w->config);
	free(text);
	w->mode = told_mode();
	if (w->mode == WSL_MODE_UNKNOWN)
		w->mode = w->config.has_mode ? w->config.mode : WSL_MODE_NAT;
}

/* ---- the mode ---- */

static void check_config(struct wsl *w)
{
	struct report *r = &w->d->report;
	const struct wslconfig *c = &w->config;

	if (!w->has_config)
		return;
	if (c->bad_line)
		report_add(r, REPORT_NOTE, "wslconfig", ".wslconfig",
			   "line %u cannot be read", c->bad_line);
	if (c->has_mode && c->mode != w->mode) {
		report_add(r, REPORT_BROKEN, "wslconfig", ".wslconfig",
			   "asks for networkingMode=%s, and %s is in force",
			   wsl_mode_text(c->mode), wsl_mode_text(w->mode));
		report_todo(r, c->mode == WSL_MODE_UNKNOWN ?
			    "write nat, mirrored, virtioproxy or none" :
			    c->mode == WSL_MODE_MIRRORED && w->build &&
			    w->build < BUILD_HYPERV ? "mirrored needs Windows "
			    "11 22H2; here nat is all there is" :
			    "wsl --shutdown, in PowerShell, and open it again");
	}
	if (!c->localhost_forwarding && w->mode == WSL_MODE_NAT) {
		report_add(r, REPORT_BROKEN, "wslconfig", ".wslconfig",
			   "localhostForwarding=false: Windows does not have "
			   "on its localhost what listens here");
		report_todo(r, "take that line out, then wsl --shutdown");
	}
	if (c->old_mode)
		report_add(r, REPORT_NOTE, "wslconfig", ".wslconfig",
			   "networkingMode belongs in [wsl2] now");
	if (!c->firewall)
		report_add(r, REPORT_NOTE, "wslconfig", ".wslconfig",
			   "firewall=false: the Hyper-V firewall is off here");
}

static void check_mode(struct wsl *w)
{
	struct report *r = &w->d->report;

	switch (w->mode) {
	case WSL_MODE_NAT:
		report_add(r, REPORT_OK, "mode", "networking mode", "nat: "
			   "Windows is the default route, and its firewall "
			   "stands between");
		break;
	case WSL_MODE_MIRRORED:
		report_add(r, REPORT_OK, "mode", "networking mode",
			   "mirrored: Windows' addresses, and localhost is "
			   "shared");
		break;
	case WSL_MODE_WSL1:
		report_add(r, REPORT_OK, "mode", "networking mode",
			   "WSL 1: the network is Windows' own");
		break;
	case WSL_MODE_NONE:
		report_add(r, REPORT_BROKEN, "mode", "networking mode",
			   "none: there is no network here");
		report_todo(r, "networkingMode=nat in [wsl2] of "
			    "%%USERPROFILE%%\\.wslconfig, then wsl --shutdown");
		break;
	case WSL_MODE_BRIDGED: case WSL_MODE_VIRTIOPROXY:
	case WSL_MODE_UNKNOWN:
		report_add(r, REPORT_OK, "mode", "networking mode", "%s",
			   wsl_mode_text(w->mode));
		break;
	}
}

/* ---- from Windows to here ---- */

/* Does Windows get our word at its own localhost? 0, -ENOENT: no curl.exe */
static int try_curl(struct windows *w, uint16_t port, const char *word)
{
	char url[64], program[PATH_MAX + 16];
	/* In NAT mode WSL looks for new listeners once a second. */
	const char *const words[] = { "-s", "-m", "10", "--retry", "4",
		"--retry-delay", "1", "--retry-connrefused", url, NULL };
	char *text;
	int err;

	snprintf(program, sizeof(program), "%s/curl.exe", w->system32);
	if (access(program, X_OK) < 0)
		return -ENOENT;
	snprintf(url, sizeof(url), "http://localhost:%u/", port);
	text = windows_run(w, "curl.exe", CURL_MS, words);
	err = !text ? -ETIMEDOUT : strstr(text, word) ? 0 : -EPROTO;
	free(text);
	return err;
}

static void tell_from_windows(struct wsl *w, int err)
{
	struct report *r = &w->d->report;

	if (err == -ENOENT) {
		report_add(r, REPORT_SKIPPED, "windows-to-guest",
			   "Windows to here", "there is no curl.exe to try "
			   "it");
	} else if (!err) {
		report_add(r, REPORT_OK, "windows-to-guest",
			   "Windows to here", "a server here is reached at "
			   "localhost of Windows");
	} else {
		report_add(r, REPORT_BROKEN, "windows-to-guest",
			   "Windows to here", "a server here, asked for at "
			   "localhost of Windows: %s", guest_why(err));
		report_todo(r, w->mode == WSL_MODE_NAT ?
			    "localhostForwarding=true in [wsl2] of "
			    "%%USERPROFILE%%\\.wslconfig, then wsl --shutdown" :
			    "wsl --shutdown, in PowerShell, and open it "
			    "again");
	}
}

static void check_from_windows(struct wsl *w)
{
	struct endpoint at = { .ip = ip_from_v4(0x7f000001) };
	char word[PROBE_WORD_BYTES];
	pid_t server;
	int fd;

	if (!w->interop || w->mode == WSL_MODE_NONE)
		return;
	probe_word(word);
	fd = probe_listen(&at);
	if (fd < 0)
		return;
	server = probe_serve(&fd, 1, word);
	if (server > 0)
		tell_from_windows(w, try_curl(&w->windows, at.port, word));
	probe_serve_end(server);
	close(fd);
}

/* ---- one port ---- */

/* Of WSL's network: who we are, who Windows is, and what both are in. */
static void learn_flow(struct wsl *w)
{
	struct netif ifs[NETIF_MAX];
	const unsigned n = netif_list(ifs, NETIF_MAX);
	struct netlink *nl = netlink_open();

	w->flow.port = w->d->config->doctor_port;
	w->flow.program = w->d->config->doctor_program;
	if (nl && netlink_default_gateway(nl, &w->flow.host))
		for (unsigned i = 0; i < n && !w->has_flow; i++) {
			w->has_flow = netif_has(&ifs[i], &w->flow.host);
			w->flow.guest = ifs[i].ip;
			w->flow.subnet = netif_subnet(&ifs[i]);
		}
	netlink_close(nl);
}

/* The program of a process of Windows'; "" if it cannot be told. */
static void name_process(struct wsl *w, unsigned long pid)
{
	char filter[32];
	const char *const words[] = { "/FI", filter, "/FO", "CSV", "/NH",
				      NULL };
	char *text;

	snprintf(filter, sizeof(filter), "PID eq %lu", pid);
	text = windows_run(&w->windows, "tasklist.exe", RUN_MS, words);
	if (!text || !win_image(text, w->program, sizeof(w->program)))
		*w->program = '\0';
	free(text);
	if (*w->program && !w->flow.program)
		w->flow.program = w->program;
}

static void tell_listens_here(struct wsl *w, const char *tried)
{
	report_add(&w->d->report, REPORT_OK, "port", tried, "somebody here "
		   "listens; on Windows it is at localhost:%u", w->flow.port);
}

static void tell_loopback_only(struct wsl *w, const char *tried)
{
	struct report *r = &w->d->report;
	char host[IP_TEXT_BYTES];
	const unsigned port = w->flow.port;

	ip_format(&w->flow.host, host);
	report_add(r, REPORT_BROKEN, "windows-listens", tried, "%s of Windows "
		   "listens on its localhost only, which nat does not reach",
		   *w->program ? w->program : "a program");
	report_todo(r, "let it listen on 0.0.0.0, or on %s", host);
	report_todo(r, "netsh interface portproxy add v4tov4 listenaddress=%s "
		    "listenport=%u connectaddress=127.0.0.1 connectport=%u",
		    host, port, port);
	if (w->build >= BUILD_HYPERV)
		report_todo(r, "networkingMode=mirrored in [wsl2] of "
			    "%%USERPROFILE%%\\.wslconfig, then wsl --shutdown");
}

/* Nobody on Windows: where localhost is shared, somebody here may. */
static void tell_no_listener(struct wsl *w, const char *tried)
{
	const struct endpoint at = { ip_from_v4(0x7f000001), w->flow.port };
	struct report *r = &w->d->report;

	if (!probe_tcp(&at, NULL, HERE_MS)) {
		tell_listens_here(w, tried);
		return;
	}
	report_add(r, REPORT_BROKEN, "windows-listens", tried, "nobody "
		   "listens on Windows, nor here");
	report_todo(r, "start the server, and let it listen at port %u of "
		    "TCP", w->flow.port);
}

/* Who listens on Windows at that port. false: nobody, as far as is known. */
static bool check_listener(struct wsl *w, const char *tried)
{
	const char *const words[] = { "-ano", NULL };
	struct win_listener at[LISTENERS];
	struct report *r = &w->d->report;
	bool beyond = false;
	unsigned n = 0;
	char *text;

	text = windows_run(&w->windows, "netstat.exe", RUN_MS, words);
	if (!text)
		return true;
	n = win_listeners(text, w->flow.port, at, LISTENERS);
	free(text);
	if (!n) {
		tell_no_listener(w, tried);
		return false;
	}
	name_process(w, at[0].pid);
	for (unsigned i = 0; i < n; i++)
		beyond |= !ip_is_loopback(&at[i].at);
	if (beyond || w->mode != WSL_MODE_NAT)
		report_add(r, REPORT_OK, "windows-listens", tried, "%s "
			   "(process %lu) of Windows listens", *w->program ?
			   w->program : "a program", at[0].pid);
	else
		tell_loopback_only(w, tried);
	return true;
}

static void check_to_windows(struct wsl *w, const char *tried)
{
	struct endpoint to = { w->flow.host, w->flow.port };
	struct report *r = &w->d->report;
	char text[ENDPOINT_TEXT_BYTES];
	int err;

	if (w->mode != WSL_MODE_NAT)
		to.ip = ip_from_v4(0x7f000001);
	else if (!w->has_flow)
		return;
	err = probe_tcp(&to, NULL, TCP_MS);
	endpoint_format(&to, text);
	w->flow.reached = !err;
	if (!err) {
		report_add(r, REPORT_OK, "guest-to-windows", tried,
			   "Windows answers at %s", text);
		return;
	}
	report_add(r, REPORT_BROKEN, "guest-to-windows", tried, "%s: %s", text,
		   guest_why(err));
	if (err == -ETIMEDOUT)
		report_todo(r, "Windows' firewall drops it: see below");
	else if (err == -ECONNREFUSED)
		report_todo(r, "start the server on Windows, and let it "
			    "listen on %s", w->mode == WSL_MODE_NAT ?
			    "0.0.0.0" : "127.0.0.1");
}

/* true: somebody here listens, so it is about the other direction. */
static bool listens_here(const struct wsl *w)
{
	struct endpoint at = { ip_from_v4(0x7f000001), w->flow.port };
	bool here;

	/* In mirrored mode that may be Windows. */
	if (w->mode == WSL_MODE_MIRRORED || w->mode == WSL_MODE_WSL1)
		return false;
	here = !probe_tcp(&at, NULL, HERE_MS);
	at.ip = w->flow.guest;
	return here || (w->has_flow && !probe_tcp(&at, NULL, HERE_MS));
}

static void check_port(struct wsl *w)
{
	char tried[32];

	if (!w->flow.port)
		return;
	snprintf(tried, sizeof(tried), "port %u", w->flow.port);
	if (listens_here(w)) {
		tell_listens_here(w, tried);
		return;
	}
	if (!w->interop || check_listener(w, tried))
		check_to_windows(w, tried);
}

/* ---- Windows' firewall ---- */

static char *or_empty(char *text)
{
	return text ? text : strdup("");
}

static void check_rules(struct wsl *w)
{
	struct windows *win = &w->windows;
	char *rules = windows_reg(win, FW "FirewallRules", NULL);
	char *profile = or_empty(windows_reg(win, FW "PublicProfile", NULL));
	char *policy = or_empty(windows_reg(win, POLICY "FirewallRules",
					    NULL));
	char *policy_profile = or_empty(windows_reg(win, POLICY
						    "PublicProfile", NULL));

	if (rules && profile && policy && policy_profile)
		winfw_judge(&w->d->report, &(struct winfw_texts){
				rules, profile, policy, policy_profile },
			    &w->flow);
	else
		report_add(&w->d->report, REPORT_SKIPPED, "windows-rules",
			   "rules of Windows", "reg.exe does not tell them");
	free(rules);
	free(profile);
	free(policy);
	free(policy_profile);
}

static void check_hyperv(struct wsl *w)
{
	const char *const words[] = { "-NoProfile", "-NonInteractive",
				      "-Command", winfw_hyperv_script, NULL };
	char *text;

	if (w->build < BUILD_HYPERV || !w->config.firewall)
		return;
	text = windows_run(&w->windows, "WindowsPowerShell/v1.0/"
			   "powershell.exe", POWERSHELL_MS, words);
	if (text)
		winfw_judge_hyperv(&w->d->report, text, w->flow.port,
				   w->mode == WSL_MODE_MIRRORED);
	free(text);
}

static void on_windows(struct wsl *w)
{
	char name[64];

	if (!w->interop) {
		report_place(&w->d->report, "windows", "Windows", "");
		report_add(&w->d->report, REPORT_SKIPPED, "interop",
			   "interop", "%s: the rules of Windows' firewall "
			   "cannot be read", w->windows.dead ? "reg.exe does "
			   "not run, or does not end" : "no reg.exe is found");
		report_todo(&w->d->report, "enabled=true in [interop] of "
			    "/etc/wsl.conf, then wsl --shutdown");
		return;
	}
	snprintf(name, sizeof(name), "Windows %s",
		 w->build >= BUILD_11 ? "11" : w->build ? "10" : "");
	report_place(&w->d->report, "windows", name, "what is to be done is "
		     "for PowerShell, as administrator");
	if (w->mode == WSL_MODE_NAT && w->has_flow)
		check_rules(w);
	check_hyperv(w);
}

void doctor_wsl(struct doctor *d)
{
	const char *distribution = getenv("WSL_DISTRO_NAME");
	struct wsl w = { .d = d };

	report_place(&d->report, "wsl", distribution ? distribution : "here",
		     "a distribution of WSL");
	learn(&w);
	learn_flow(&w);
	check_mode(&w);
	check_config(&w);
	if (w.mode != WSL_MODE_NONE)
		doctor_network(d);
	check_from_windows(&w);
	check_port(&w);
	on_windows(&w);
	windows_fini(&w.windows);
}
