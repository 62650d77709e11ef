/* SPDX-License-Identifier: MIT
 *
 * cplusplus.cpp - libmp from C++: lambdas as targets, handles in C++ types, locked blocks that are left early.
 */
#include <cstdio>
#include <mp/mp.h>
#include <vector>

namespace
{
struct job {
    mp_value total;
    mp_lock lock;
    int number;
};

int guarded(mp_lock lock)
{
    MP_WITH_LOCK(lock) {
        return 7;
    } // and released
    return 0;
}

bool counts(mp_start_method method)
{
    job j = {};
    MP_CHECK(mp_value_create(&j.total, sizeof(long), nullptr));
    MP_CHECK(mp_lock_create(&j.lock, nullptr));
    mp_process_options options = {};
    options.method = method;

    std::vector<mp_process> processes(3);
    for (auto &process : processes) {
        j.number++;
        auto work = [](void *args) -> int {
            auto *mine = static_cast<job *>(args);
            MP_WITH_LOCK(mine->total) *MP_VALUE(long, mine->total) += mine->number;
            return guarded(mine->lock) == 7 ? 0 : 1;
        };
        MP_CHECK(mp_process_start(&process, work, &j, sizeof j, &options));
    }
    MP_CHECK(mp_process_join_all(processes.data(), nullptr, processes.size(), MP_FOREVER));
    long total = *MP_VALUE(long, j.total);
    int locked = MP_CHECK(mp_lock_locked(j.lock));
    std::printf("%s: %ld\n", mp_start_method_name(method), total);
    return total == 6 && locked == 0;
}
} // namespace

int main()
{
    mp_freeze_support();
    size_t count = 0;
    const mp_start_method *methods = mp_get_all_start_methods(&count);
    int failed = 0;
    for (size_t i = 0; i < count; i++) failed += !counts(methods[i]);
    return failed;
}
