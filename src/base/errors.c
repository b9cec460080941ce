/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "base/errors.h"
#include <gio/gio.h>

static const GDBusErrorEntry app_error_names[] = {
    { APP_ERROR_FAILED, "org.vitrine.Error.Failed" },
    { APP_ERROR_USAGE, "org.vitrine.Error.Usage" },
    { APP_ERROR_INVALID, "org.vitrine.Error.Invalid" },
    { APP_ERROR_NOT_FOUND, "org.vitrine.Error.NotFound" },
    { APP_ERROR_WRONG_STATE, "org.vitrine.Error.WrongState" },
    { APP_ERROR_IN_USE, "org.vitrine.Error.InUse" },
    { APP_ERROR_TIMED_OUT, "org.vitrine.Error.TimedOut" },
    { APP_ERROR_NO_TEXT, "org.vitrine.Error.NoText" },
};
G_STATIC_ASSERT(G_N_ELEMENTS(app_error_names) == APP_ERROR_N_CODES);

GQuark app_error_quark(void)
{
    static gsize quark;
    g_dbus_error_register_error_domain("app-error-quark", &quark, app_error_names,
                                       G_N_ELEMENTS(app_error_names));
    return (GQuark)quark;
}

int app_error_exit_code(const GError *error)
{
    if (error->domain != APP_ERROR)
        return EXIT_FAILED;
    switch (error->code) {
    case APP_ERROR_USAGE: return EXIT_USAGE;
    case APP_ERROR_NOT_FOUND: return EXIT_NO_MACHINE;
    case APP_ERROR_WRONG_STATE: return EXIT_WRONG_STATE;
    default: return EXIT_FAILED;
    }
}
