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

static const struct command commands[] = {
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
	  "a network for virtual machines",
	  "Makes a network for virtual machines, prints the options by which\n"
	  "QEMU joins it, and stays until ^C or slipway stop. A machine comes up\n"
	  "by DHCP or router advertisements. Machines may come and go, one at a\n"
	  "time at each socket; options given again make more sockets." },
	{ "exec", FOR_EXEC, false, cmd_exec, " NAME[/GUEST] [COMMAND...]",
	  "run one more command, or a shell, in a guest",
	  "Runs COMMAND, or a shell, in the guest NAME, which runs already. GUEST\n"
	  "is one of several machines of the network NAME, with slipway guest." },
	{ "stop", FOR_STOP, true, cmd_stop, " NAME",
	  "end a guest and its command",
	  "Ends the guest NAME and its command, and waits until it is gone." },
	{ "status", FOR_STATUS, true, cmd_status, " [NAME]",
	  "what runs, and what is wrong, if anything",
	  "Lists the guests that run, or tells all about one." },
	{ "publish", FOR_PUBLISH, true, cmd_publish, " NAME[/GUEST] PORTS...",
	  "give other machines ports of a guest that runs",
	  "Publishes PORTS of the guest NAME, [ADDR:]PORT[-PORT][:GUESTPORT][/udp]\n"
	  "or auto, from now on and after a restart. The same again changes\n"
	  "nothing. GUEST is one of several guests of the network NAME." },
	{ "unpublish", FOR_UNPUBLISH, true, cmd_unpublish, " NAME[/GUEST] PORTS...",
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
	{ "firewall", FOR_FIREWALL, true, cmd_firewall, " VERB [ARGUMENT...]",
	  "the rules: which flows may be",
	  "Lists and changes the rules of a network. A block beats every allow;\n"
	  "where no rule is about a flow the profile's default holds.",
	  firewall_verbs },
	{ "why", FOR_WHY, true, cmd_why, " PROTOCOL FROM TO | URL | NAME",
	  "which rule decides a flow, and what changes that",
	  "Tells whether a flow may be: the rule that decides, those that lost,\n"
	  "and the narrowest command that changes it. PROTOCOL is tcp, udp or\n"
	  "icmp; FROM and TO are ADDRESS:PORT, guest, host, or a name. Of a URL\n"
	  "or a NAME alone FROM is the guest. Exits with 0 if it is allowed,\n"
	  "with 1 if it is blocked." },
	{ "host-ip", FOR_HOST_IP, true, cmd_host_ip, "",
	  "the address at which this guest reaches its host",
	  "Prints the gateway of the IPv4 default route: in a guest, and in\n"
	  "WSL2, the address of the host." },
	{ "guest", FOR_GUEST, true, cmd_guest, "",
	  "the agent that runs inside a virtual machine",
	  "Runs in a virtual machine that slipway serve has given a network, as\n"
	  "root: tells the host what listens there, so that it answers at the\n"
	  "host's localhost, and runs the commands of slipway exec. Stays until it\n"
	  "is stopped, and finds the host again when that was away." },
	{ .name = NULL },
};

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

static void print_table(FILE *out, const struct command *c)
{
	for (; c->name; c++) {
		char left[64];

		snprintf(left, sizeof(left), "%s%s", c->name, c->operands);
		if (strlen(left) > 29)
			fprintf(out, "  %s\n  %-29s %s\n", left, "",
				c->summary);
		else
			fprintf(out, "  %-29s %s\n", left, c->summary);
	}
}

static void print_commands(FILE *out)
{
	fputs("Usage: slipway COMMAND [OPTION...] [ARGUMENT...]\n"
	      "\n"
	      "A private network for a command. Its other end is one "
	      "unprivileged process.\n"
	      "\n"
	      "Commands:\n", out);
	print_table(out, commands);
	fputs("\n"
	      "Options:\n"
	      "  -h, --help                    print this, or a command's "
	      "help, and end\n"
	      "      --version                 print the version and end\n"
	      "\n"
	      "`slipway COMMAND --help' lists a command's options; the "
	      "manual is slipway(1).\n", out);
}

/* The command, or verb of one, with that bit; *of: whose verb it is. */
static const struct command *by_bit(unsigned bit, const struct command **of)
{
	*of = NULL;
	for (const struct command *c = commands; c->name; c++)
		if (c->bit == bit)
			return c;
	for (const struct command *c = commands; c->name; c++)
		for (const struct command *v = c->verbs; v && v->name; v++)
			if (v->bit == bit) {
				*of = c;
				return v;
			}
	return NULL;
}

void cmd_help(FILE *out, unsigned command)
{
	const struct command *of, *c = by_bit(command, &of);

	if (!c) {
		print_commands(out);
		return;
	}
	fprintf(out, "Usage: slipway %s%s%s%s%s\n\n%s\n\n",
		of ? of->name : "", of ? " " : "", c->name,
		c->verbs || strstr(c->operands, "OPTION") ? "" :
		" [OPTION...]", c->operands, c->about);
	if (c->verbs) {
		fputs("Verbs:\n", out);
		print_table(out, c->verbs);
		fprintf(out, "\n`slipway %s VERB --help' lists a verb's "
			"options.\n", c->name);
		return;
	}
	fputs("Options:\n", out);
	help_options(out, command);
}

static int print_version(void)
{
	puts("slipway " SLIPWAY_VERSION);
	return EXIT_DONE;
}

int cmd_options(struct config *c, unsigned command, char **argv,
		char ***operands)
{
	const struct command *of, *own = by_bit(command, &of);
	struct fail fail = { 0 };
	char **rest;

	config_defaults(c);
	rest = options_parse(c, command, own && own->mixed, argv, &fail);
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

int cmd_unknown(const struct command *table, const char *before,
		const char *word)
{
	const char *what = word[0] == '-' ? "option" :
			   *before ? "verb" : "command";
	struct nearest n = { .text = word };
	struct fail fail;

	for (const struct command *c = table; c->name; c++)
		nearest_offer(&n, c->name);
	if (n.best)
		fail_set(&fail, "%s%s: no such %s; did you mean slipway "
			 "%s%s?", before, word, what, before, n.best);
	else
		fail_set(&fail, "%s%s: no such %s; see slipway %s--help",
			 before, word, what, before);
	return cmd_fail(&fail, EXIT_USAGE);
}

const struct command *cmd_find(const struct command *table, const char *name)
{
	for (; table->name; table++)
		if (!strcmp(table->name, name))
			return table;
	return NULL;
}

/* `slipway help [COMMAND [VERB]]', as other programs have it. */
static int help(char **argv)
{
	const struct command *c = argv[0] ? cmd_find(commands, argv[0]) : NULL;

	if (argv[0] && !c)
		return cmd_unknown(commands, "", argv[0]);
	if (c && c->verbs && argv[1]) {
		c = cmd_find(c->verbs, argv[1]);
		if (!c)
			return cmd_unknown(firewall_verbs, "firewall ",
					   argv[1]);
	}
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
	c = cmd_find(commands, argv[0]);
	return c ? c->main(argv + 1) : cmd_unknown(commands, "", argv[0]);
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
