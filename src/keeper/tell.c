/* SPDX-License-Identifier: MIT */
#include "keeper/tell.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "keeper/process.h"
#include "linux/channel.h"
#include "linux/messages.h"

void tell_resolvers(struct keeper *k)
{
	struct msg_resolvers m = { .kind = MSG_RESOLVERS };
	struct ip at[CONFIG_DNS_MAX];

	m.n = instance_dns(&k->in, at);
	for (unsigned i = 0; i < m.n; i++)
		m.at[i] = (struct endpoint){ .ip = at[i], .port = 53 };
	if (channel_send(k->engine_ch, &m, sizeof(m), NULL, 0) < 0)
		log_write(&k->in.log, LOG_ERROR,
			  "the engine does not take the DNS servers");
}

void tell_zones(struct keeper *k)
{
	const struct config *c = k->in.config;
	struct msg_zones m = { .kind = MSG_ZONES, .n = c->n_zones };

	if (!m.n)
		return;
	memcpy(m.at, c->zones, sizeof(m.at));
	if (channel_send(k->engine_ch, &m, sizeof(m), NULL, 0) < 0)
		log_write(&k->in.log, LOG_ERROR,
			  "the engine does not take the DNS domains");
}

void tell_hosts(struct keeper *k)
{
	struct msg_hosts m = { .kind = MSG_HOSTS };
	size_t bytes = 0;
	const int fd = hostsfile_table(&k->in.hosts, &bytes);

	m.bytes = bytes;
	if (fd < 0 && fd != -ENOENT)
		log_print(&k->in.log, LOG_WARN, "/etc/hosts: %s; its names "
			  "are not known to the guest's DNS", strerror(-fd));
	if (channel_send(k->engine_ch, &m, sizeof(m), &fd, fd >= 0) < 0)
		log_write(&k->in.log, LOG_ERROR,
			  "the engine does not take the hosts file");
	if (fd >= 0)
		close(fd);
}

void tell_boot(struct keeper *k, const struct front_boot *m)
{
	struct log *log = &k->in.log;

	switch (m->end) {
	case FRONT_BOOT_EXIT:
		log_print(log, m->status ? LOG_WARN : LOG_INFO, "the boot "
			  "command has ended with status %d", m->status);
		break;
	case FRONT_BOOT_SIGNAL:
		log_print(log, LOG_WARN, "the boot command was ended by "
			  "signal %d", m->status);
		break;
	case FRONT_BOOT_RUNS:
		log_write(log, LOG_WARN, "the boot command has not ended in "
			  "time: the guest's command has begun without it");
		break;
	case FRONT_BOOT_FAILED:
		log_print(log, LOG_WARN, "the boot command cannot be "
			  "started: %s", strerror(m->status));
		break;
	case FRONT_BOOT_UNSAFE:
		log_write(log, LOG_WARN, "the boot command is not started: "
			  "the container sees the host's processes and could "
			  "take it over; start that without --pid=host and "
			  "name its process, or run slipway as root");
		break;
	}
}
