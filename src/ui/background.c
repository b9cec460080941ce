/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "ui/background.h"
#include <glib/gi18n.h>

#define PORTAL_TIMEOUT_MS 2000

bool background_needs_leave(void)
{
    return g_file_test("/.flatpak-info", G_FILE_TEST_EXISTS) ||
           g_strcmp0(g_getenv("GTK_USE_PORTAL"), "1") == 0;
}

void background_request(GApplication *app)
{
    GDBusConnection *bus = g_application_get_dbus_connection(app);
    if (!bus)
        return;
    GVariantBuilder options;
    g_variant_builder_init(&options, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&options, "{sv}", "reason",
                          g_variant_new_string(_("Virtual machines are running")));
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply = g_dbus_connection_call_sync(
        bus, "org.freedesktop.portal.Desktop", "/org/freedesktop/portal/desktop",
        "org.freedesktop.portal.Background", "RequestBackground",
        g_variant_new("(sa{sv})", "", &options), NULL, G_DBUS_CALL_FLAGS_NONE, PORTAL_TIMEOUT_MS,
        NULL, &error);
    if (!reply)
        g_message("Machines may end with the window: %s", error->message);
}
