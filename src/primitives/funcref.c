/* SPDX-License-Identifier: MIT
 *
 * funcref.c - functions across an exec.
 */
#include "primitives/funcref.h"
#include "base/error.h"
#include "primitives/config.h"

int mp__funcref_make(const char *call, const char *what, const void *function, mp_os_module *module)
{
    int error = mp_os_module_of(function, module);
    if (error == mp_os_egone)
        return mp__fail(MP_ENOTARGET,
                        "%s: %s (%p) lies in no module: a nested function or generated code can not be found by "
                        "another process; use a function of the program or of a shared library, or fork",
                        call, what, function);
    if (error == mp_os_enotsup)
        return mp__fail(MP_ENOTSUP,
                        "%s: %s can not be found again: the program was started by a dynamic linker on its "
                        "command line; start the program itself",
                        call, what);
    if (error) return mp__fail_os(error, "%s: the module of %s could not be looked up", call, what);

    char executable[MP_OS_PATH_MAX];
    mp__executable_get(executable, sizeof executable);
    if (module->program && executable[0])
        return mp__fail(MP_ENOTARGET,
                        "%s: %s lies in this program, and mp_set_executable() chose another: put it into a "
                        "shared library",
                        call, what);
    if (module->program) return 0;
    error = mp_os_module_fresh(module);
    if (error == mp_os_egone)
        return mp__fail(MP_ESTALE,
                        "%s: %s lies in %.300s, which is not the build of it that is loaded here any more: start the "
                        "program anew",
                        call, what, module->path);
    if (error)
        return mp__fail_os(error, "%s: %s lies in %.300s, which could not be compared with what is loaded here", call,
                           what, module->path);
    return 0;
}

int mp__funcref_resolve(const mp_os_module *module, void **function)
{
    const char *what = NULL;
    int error = mp_os_module_resolve(module, function, &what);
    if (!error) return 0;
    const char *path = module->program ? "the program" : module->path;
    if (error == mp_os_egone) return mp__fail(MP_ESTALE, "%.300s is another build here than in the parent", path);
    return mp__fail(MP_ENOTARGET, "%.300s could not be loaded: %.120s", path, what ? what : "no reason given");
}
