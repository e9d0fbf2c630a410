/* SPDX-License-Identifier: MIT */
/*
 * test/fuzz/text.c - addresses, nsswitch.conf, settings and HTTP as text
 *
 * Addresses are compared with libc's idea of them. The files must never be
 * read past their end, and a setting that is refused is refused in words.
 */
#include <arpa/inet.h>
#include <string.h>

#include "base/addr.h"
#include "config/config.h"
#include "config/file.h"
#include "control/http.h"
#include "fuzz/fuzz.h"
#include "linux/nsswitch.h"

/* The input as a string, to be freed: up to its first NUL. */
static char *text_of(const uint8_t *data, size_t size)
{
	char *s = malloc(size + 1);

	if (!s)
		abort();
	if (size)
		memcpy(s, data, size);
	s[size] = '\0';
	return s;
}

static bool libc_ip(const char *text, struct ip *out)
{
	struct in_addr v4;

	if (inet_pton(AF_INET6, text, out->b) == 1)
		return true;
	if (inet_pton(AF_INET, text, &v4) != 1)
		return false;
	*out = ip_from_v4(ntohl(v4.s_addr));
	return true;
}

static void check_ip(const char *text)
{
	struct ip ip, other;
	char buf[IP_TEXT_BYTES], endpoint[ENDPOINT_TEXT_BYTES];
	const bool good = ip_parse(text, &ip);

	PROPERTY(good == libc_ip(text, &other));
	if (!good)
		return;
	PROPERTY(ip_equal(&ip, &other));
	PROPERTY(ip_parse(ip_format(&ip, buf), &other));
	PROPERTY(ip_equal(&ip, &other));
	endpoint_format(&(struct endpoint){ .ip = ip, .port = 65535 },
			endpoint);
	PROPERTY(strstr(endpoint, buf) && strstr(endpoint, ":65535"));
}

void fuzz_addr(const uint8_t *data, size_t size)
{
	char *text = text_of(data, size);
	char buf[MAC_TEXT_BYTES];
	struct prefix prefix;
	struct mac mac, other;

	check_ip(text);
	if (prefix_parse(text, &prefix)) {
		PROPERTY(prefix.bits <= (ip_is4(&prefix.ip) ? 32 : 128));
		PROPERTY(prefix_has(&prefix, &prefix.ip));
	}
	if (mac_parse(text, &mac)) {
		PROPERTY(mac_parse(mac_format(&mac, buf), &other));
		PROPERTY(mac_equal(&mac, &other));
		PROPERTY(!strcasecmp(buf, text));
	}
	free(text);
}

void fuzz_nsswitch(const uint8_t *data, size_t size)
{
	char *host = text_of(data, size);
	const size_t cap = strlen(host) + 256;
	char *once = malloc(cap), *twice = malloc(cap + 256), small[9];

	if (!once || !twice)
		abort();
	nsswitch_rewrite(host, once, cap);
	PROPERTY(strlen(once) < cap - 1);
	PROPERTY(strstr(once, "hosts: files "));
	nsswitch_rewrite(once, twice, cap + 256);
	PROPERTY(!strcmp(once, twice));
	nsswitch_rewrite(host, small, sizeof(small));
	PROPERTY(!strncmp(small, once, sizeof(small) - 1));
	free(host);
	free(once);
	free(twice);
}

static void take_note(void *ctx, enum log_level level, const char *text)
{
	(void)level;
	PROPERTY(strlen(text) > 0 && !strchr(text, '\n'));
	++*(unsigned *)ctx;
}

static int read_settings(struct config *c, const uint8_t *data, size_t size,
			 struct fail *fail)
{
	unsigned notes = 0;
	const struct log_sink sink = { .write = take_note, .ctx = &notes };
	FILE *f = fmemopen((void *)(uintptr_t)data, size, "r");
	int rc;

	if (!f)
		abort();
	config_defaults(c);
	fail->text[0] = '\0';
	rc = file_read_stream(c, f, "file", &sink, fail);
	fclose(f);
	return rc;
}

void fuzz_config(const uint8_t *data, size_t size)
{
	struct config c, d;
	struct fail fail, again;
	int rc;

	if (!size)
		return;			/* fmemopen() has no empty files */
	rc = read_settings(&c, data, size, &fail);
	PROPERTY(rc == 0 || rc == -1);
	PROPERTY((rc == 0) == !fail.text[0]);
	PROPERTY(rc == 0 || !strncmp(fail.text, "file:", 5));
	PROPERTY(read_settings(&d, data, size, &again) == rc);
	PROPERTY(!strcmp(fail.text, again.text));
	PROPERTY(c.rules.set.used.rules == d.rules.set.used.rules);
	config_fini(&d);
	PROPERTY(c.n_dns <= CONFIG_DNS_MAX && c.mtu == d.mtu);
	PROPERTY(c.localhost_ports.n <= PORT_RANGES_MAX &&
		 c.ignored_ports.n <= PORT_RANGES_MAX);
	if (rc == 0 && config_check(&c, &fail) == 0)
		PROPERTY(c.mtu >= CONFIG_MTU_MIN && c.mtu <= CONFIG_MTU_MAX);
	else
		PROPERTY(fail.text[0]);
	config_fini(&c);
}

static void check_lent(const uint8_t *data, size_t size, struct http_text t)
{
	PROPERTY(!t.len || ((const uint8_t *)t.p >= data &&
			    (const uint8_t *)t.p + t.len <= data + size));
}

/* What is whole stays so, and says the same, if more comes behind it. */
void fuzz_http(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct http_request r, again;
	struct http_response a;
	const int rc = http_request_parse(text, size, &r);

	PROPERTY(rc == 0 || rc == HTTP_MORE || (rc >= 400 && rc < 600));
	if (rc == 0) {
		const size_t whole = (size_t)(r.body.p + r.body.len - text);

		check_lent(data, size, r.method);
		check_lent(data, size, r.path);
		check_lent(data, size, r.upgrade);
		check_lent(data, size, r.body);
		PROPERTY(http_request_parse(text, whole, &again) == 0);
		PROPERTY(whole == 0 || http_request_parse(text, whole - 1,
							  &again) ==
				       HTTP_MORE);
	}
	if (http_response_parse(text, size, 64, &a) == 0) {
		check_lent(data, size, a.body);
		PROPERTY(a.bytes <= size && a.status >= 100);
	}
}
