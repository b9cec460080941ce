/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* What a machine made of a medium is called while nobody knows better: by its volume name or its
 * file, as people would write them. Included by those who make machines. */

/* "VITRINE_DEMO" → "Vitrine demo", "FREEDOS_1.3" → "Freedos 1.3", "Fedora-WS-Live-40" as it is. A
 * volume name in capitals alone has no other choice (ECMA-119 §7.4.1), so they say nothing; short
 * words and those with digits keep theirs. NULL when it says nothing at all: empty, "CDROM". */
char *medium_dup_name_of_label(const char *label);
/* "debian-12.5.0-amd64-netinst.iso" → "debian 12.5.0 amd64 netinst". UTF-8; NULL when there is no
 * name but the extension. */
char *medium_dup_name_of_file(const char *path);
