/* SPDX-License-Identifier: MIT */
#include "cmd/proxyenv.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/addr.h"

/* In both cases: which of them counts differs from program to program. */
static const char *const names[] = {
	"http_proxy", "https_proxy", "ftp_proxy", "all_proxy",
	"HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY",
};

/* Where the host stands in [SCHEME://][USER[:PASSWORD]@]HOST[:PORT][/…] */
static const char *find_host(const char *url, size_t *len)
{
	const char *scheme = strstr(url, "://");
	const char *start = scheme ? scheme + 3 : url;
	const char *end = start + strcspn(start, "/?#");

	for (const char *p = start; p < end; p++)
		if (*p == '@')
			start = p + 1;
	if (*start == '[') {
		const char *close = memchr(start, ']', (size_t)(end - start));

		*len = close ? (size_t)(close + 1 - start) : 0;
	} else {
		*len = strcspn(start, ":/?#");
	}
	return start;
}

static bool is_here(const char *host, size_t len)
{
	char text[IP_TEXT_BYTES];
	struct ip ip;

	if (len == 9 && !strncasecmp(host, "localhost", len))
		return true;
	if (len > 2 && *host == '[') {
		host++;
		len -= 2;
	}
	if (!len || len >= sizeof(text))
		return false;
	memcpy(text, host, len);
	text[len] = '\0';
	return ip_parse(text, &ip) && ip_is_loopback(&ip);
}

char *proxyenv_rewrite(const char *url, const char *gateway)
{
	size_t len;
	const char *host = find_host(url, &len);
	char *text;

	if (!is_here(host, len) ||
	    asprintf(&text, "%.*s%s%s", (int)(host - url), url, gateway,
		     host + len) < 0)
		return NULL;
	return text;
}

int proxyenv_apply(const char *gateway)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *url = getenv(names[i]);
		char *text = url ? proxyenv_rewrite(url, gateway) : NULL;
		const int rc = text ? setenv(names[i], text, 1) : 0;

		free(text);
		if (rc < 0)
			return -errno;
	}
	return 0;
}
