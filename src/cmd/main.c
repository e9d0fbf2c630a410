/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/nearest.h"
#include "cmd/cmd.h"
#include "config/help.h"
#include "config/options.h"
#include "config/settings.h"

static const struct command {
	const char *name;
	unsigned bit;
	bool mixed;		/* options may follow operands */
	int (*main)(char **argv);
	const char *operands;
	const char *summary;	/* in the list of all */
	const char *about;	/* in its own help */
} commands[] = {
	{ "run", FOR_RUN, false, cmd_run, " [OPTION...] [COMMAND...]",
	  "run COMMAND, or a shell, in a guest of its own",
	  "Runs COMMAND, or a shell, in a network of its own until it ends.\n"
	  "Options end at the first word that is none." },
	{ "attach", FOR_ATTACH, true, cmd_attach, " PID|PATH|NAME",
	  "a network for a container that has none",
	  "Gives a network to a network namespace that is there: that of the\n"
	  "process PID, that of the file PATH, or NAME of ip netns; until ^C,\n"
	  "slipway stop, or the end of that process. The DNS server is the\n"
	  "gateway; no file inside is changed." },
	{ "serve", FOR_SERVE, false, cmd_serve, " --vhost-user|--qemu SOCK [OPTION...]",
	  "a network for a virtual machine",
	  "Makes a network for a virtual machine, prints the options by which\n"
	  "QEMU joins it, and stays until ^C or slipway stop. The machine comes\n"
	  "up by DHCP or router advertisements. Machines may come and go, one\n"
	  "at a time." },
	{ "exec", FOR_EXEC, false, cmd_exec, " NAME [COMMAND...]",
	  "run one more command, or a shell, in a guest",
	  "Runs COMMAND, or a shell, in the guest NAME, which runs already." },
	{ "stop", FOR_STOP, true, cmd_stop, " NAME",
	  "end a guest and its command",
	  "Ends the guest NAME and its command, and waits until it is gone." },
	{ "status", FOR_STATUS, true, cmd_status, " [NAME]",
	  "what runs, and what is wrong, if anything",
	  "Lists the guests that run, or tells all about one." },
	{ "publish", FOR_PUBLISH, true, cmd_publish, " NAME PORTS...",
	  "give other machines ports of a guest that runs",
	  "Publishes PORTS of the guest NAME, [ADDR:]PORT[-PORT][:GUESTPORT][/udp]\n"
	  "or auto, from now on and after a restart. The same again changes\n"
	  "nothing." },
	{ "unpublish", FOR_UNPUBLISH, true, cmd_unpublish, " NAME PORTS...",
	  "and take them back",
	  "Publishes PORTS of the guest NAME no longer, now and after a restart.\n"
	  "Connections that there are stay." },
	{ "ports", FOR_PORTS, true, cmd_ports, " [NAME | take NAME PORT[/udp]]",
	  "which ports of the host lead where",
	  "Lists the ports of localhost and the published ones. With take: binds\n"
	  "PORT, which another had when the guest began to listen there." },
	{ "flows", FOR_FLOWS, true, cmd_flows, " [NAME]",
	  "connections and exchanges that live",
	  "Lists the TCP connections, UDP exchanges and pings of all guests, or\n"
	  "of one: its end, who began, the peer as the guest calls it, the state\n"
	  "of the gateway's end, bytes, round trip to the guest, age." },
	{ "doctor", FOR_DOCTOR, true, cmd_doctor, " [NAME]",
	  "try the network, and say what is broken and how to mend it",
	  "Tries what should work, in both directions, and tells of each thing\n"
	  "what was seen and what to do: in a guest; on the host, with the guests\n"
	  "that run, or with NAME alone; and in WSL2, where it reads the rules of\n"
	  "Windows' firewall, too. Changes nothing. Exits with 1 if anything is\n"
	  "broken." },
	{ "host-ip", FOR_HOST_IP, true, cmd_host_ip, "",
	  "the address at which this guest reaches its host",
	  "Prints the gateway of the IPv4 default route: in a guest, and in\n"
	  "WSL2, the address of the host." },
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

int cmd_fail(const struct fail *fail, int status)
{
	fprintf(stderr, "slipway: %s\n", fail->text);
	return status;
}

int cmd_json(json_t *value)
{
	json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
	putchar('\n');
	json_decref(value);
	return EXIT_DONE;
}

static void print_commands(FILE *out)
{
	fputs("Usage: slipway COMMAND [OPTION...] [ARGUMENT...]\n"
	      "\n"
	      "A private network for a command. Its other end is one "
	      "unprivileged process.\n"
	      "\n"
	      "Commands:\n", out);
	for (size_t i = 0; i < COMMANDS; i++) {
		char left[64];

		snprintf(left, sizeof(left), "%s%s", commands[i].name,
			 commands[i].operands);
		if (strlen(left) > 29)
			fprintf(out, "  %s\n  %-29s %s\n", left, "",
				commands[i].summary);
		else
			fprintf(out, "  %-29s %s\n", left,
				commands[i].summary);
	}
	fputs("\n"
	      "Options:\n"
	      "  -h, --help                    print this, or a command's "
	      "help, and end\n"
	      "      --version                 print the version and end\n"
	      "\n"
	      "`slipway COMMAND --help' lists a command's options; the "
	      "manual is slipway(1).\n", out);
}

void cmd_help(FILE *out, unsigned command)
{
	for (size_t i = 0; i < COMMANDS; i++) {
		const struct command *c = &commands[i];

		if (c->bit != command)
			continue;
		fprintf(out, "Usage: slipway %s%s%s\n\n%s\n\nOptions:\n",
			c->name, strstr(c->operands, "OPTION") ? "" :
			" [OPTION...]", c->operands, c->about);
		help_options(out, command);
		return;
	}
	print_commands(out);
}

static int print_version(void)
{
	puts("slipway " SLIPWAY_VERSION);
	return EXIT_DONE;
}

static bool is_mixed(unsigned bit)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (commands[i].bit == bit)
			return commands[i].mixed;
	return false;
}

int cmd_options(struct config *c, unsigned command, char **argv,
		char ***operands)
{
	struct fail fail = { 0 };
	char **rest;

	config_defaults(c);
	rest = options_parse(c, command, is_mixed(command), argv, &fail);
	if (!rest)
		return cmd_fail(&fail, EXIT_USAGE);
	if (c->help) {
		cmd_help(stdout, command);
		return EXIT_DONE;
	}
	if (c->version)
		return print_version();
	*operands = rest;
	return -1;
}

static int unknown(const char *word)
{
	const char *what = word[0] == '-' ? "option" : "command";
	struct nearest n = { .text = word };
	struct fail fail;

	for (size_t i = 0; i < COMMANDS; i++)
		nearest_offer(&n, commands[i].name);
	if (n.best)
		fail_set(&fail, "%s: no such %s; did you mean slipway %s?",
			 word, what, n.best);
	else
		fail_set(&fail, "%s: no such %s; see slipway --help", word,
			 what);
	return cmd_fail(&fail, EXIT_USAGE);
}

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

/* `slipway help [COMMAND]', as other programs have it. */
static int help(char **argv)
{
	const struct command *c = argv[0] ? find(argv[0]) : NULL;

	if (argv[0] && !c)
		return unknown(argv[0]);
	cmd_help(stdout, c ? c->bit : 0);
	return EXIT_DONE;
}

static int dispatch(char **argv)
{
	const struct command *c;

	if (!argv[0]) {
		cmd_help(stderr, 0);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[0], "--help") || !strcmp(argv[0], "-h"))
		return help(argv + 1);
	if (!strcmp(argv[0], "--version"))
		return print_version();
	if (!strcmp(argv[0], "help"))
		return help(argv + 1);
	c = find(argv[0]);
	return c ? c->main(argv + 1) : unknown(argv[0]);
}

/* What we open shall not become the command's standard streams. */
static void fill_standard_streams(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= 2);
	if (fd > 2)
		close(fd);
}

int main(int argc, char **argv)
{
	fill_standard_streams();

	const int status = dispatch(argv + (argc > 0));

	if (fflush(stdout) != 0 && status == EXIT_DONE) {
		perror("slipway: standard output");
		return EXIT_FAILED;
	}
	return status;
}
