/* SPDX-License-Identifier: MIT
 *
 * test_with_lock_cxx.cpp - MP_WITH_LOCK in C++: the same ways out as in C, and exceptions.
 */
#include <cstdio>
#include <mp/mp.h>
#include <stdexcept>
#include <string>

#define CHECK(condition)                                                                 \
    do {                                                                                 \
        if (!(condition)) {                                                              \
            std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            failures++;                                                                  \
        }                                                                                \
    } while (0)

namespace
{
int failures;
const bool not_reached = false; /* for CHECK where nobody may get to */
mp_lock lock, second;
mp_rlock rlock;
mp_value value;

bool all_free()
{
    return mp_lock_locked(lock) == 0 && mp_lock_locked(second) == 0 && mp_rlock_locked(rlock) == 0 &&
           mp_rlock_locked(mp_value_get_lock(value)) == 0;
}

void test_end()
{
    int times = 0;
    MP_WITH_LOCK(lock) {
        times++;
        CHECK(mp_lock_locked(lock) == 1);
    }
    MP_WITH_LOCK(lock) times++;
    if (times == 2)
        MP_WITH_LOCK(value) times++;
    else
        times = 1000;
    CHECK(times == 3);
    CHECK(all_free());
}

void test_break_continue()
{
    int times = 0;
    for (int i = 0; i < 3; i++) {
        MP_WITH_LOCK(lock) {
            if (++times > 0) break;
            times = 1000;
        }
        CHECK(all_free());
        MP_WITH_LOCK(rlock) {
            if (++times > 0) continue;
            times = 1000;
        }
        CHECK(all_free());
        times++;
    }
    CHECK(times == 9);
}

std::string returns(int number)
{
    MP_WITH_LOCK(lock) {
        MP_WITH_LOCK(value) {
            if (number == 1) return mp_lock_locked(lock) == 1 ? "one" : "free";
            MP_WITH_LOCK(value) {
                if (number == 2) return "two";
            }
        }
        if (number == 3) return "three";
    }
    return "four";
}

void test_return()
{
    static const char *const wanted[] = {"one", "two", "three", "four"};
    for (int i = 0; i < 4; i++) {
        CHECK(returns(i + 1) == wanted[i]);
        CHECK(all_free());
    }
}

void test_goto()
{
    int rounds = 0;
again:
    CHECK(all_free());
    MP_WITH_LOCK(lock) {
        MP_WITH_LOCK(rlock) {
            if (++rounds < 5) goto again;
            goto inside;
        }
    inside:
        CHECK(mp_lock_locked(lock) == 1);
        CHECK(mp_rlock_locked(rlock) == 0);
        goto out;
    }
    CHECK(not_reached);
out:
    CHECK(rounds == 5);
    CHECK(all_free());
}

void thrower(int depth)
{
    MP_WITH_LOCK(rlock) {
        if (depth == 0) throw std::runtime_error("thrown");
        thrower(depth - 1);
    }
}

/* What a destructor sees on the way out: the lock of the block around it is still held. */
struct witness {
    int *seen;
    ~witness()
    {
        *seen = mp_lock_locked(lock);
    }
};

void test_exception()
{
    int seen = -1, caught = 0;
    try {
        MP_WITH_LOCK(lock) {
            witness here = {&seen};
            MP_WITH_LOCK(value) thrower(10);
        }
        CHECK(not_reached);
    } catch (const std::runtime_error &error) {
        caught++;
        CHECK(std::string(error.what()) == "thrown");
        CHECK(all_free());
    }
    CHECK(seen == 1);
    CHECK(caught == 1);
    MP_WITH_LOCK(lock) {
        try {
            thrower(0);
        } catch (const std::runtime_error &) {
            caught++;
        }
        CHECK(mp_lock_locked(lock) == 1); /* caught inside: still held */
    }
    CHECK(caught == 2);
    CHECK(all_free());
}

void test_inside()
{
    MP_WITH_LOCK(lock) CHECK(mp_lock_release(lock) == 0);
    CHECK(all_free());
    mp_lock gone, next = {};
    MP_CHECK(mp_lock_create(&gone, nullptr));
    MP_WITH_LOCK(gone) {
        CHECK(mp_lock_destroy(gone) == 0);
        MP_CHECK(mp_lock_create(&next, nullptr));
        CHECK(mp_lock_acquire(next, 0) == 0);
    }
    CHECK(mp_lock_locked(next) == 1);
    CHECK(mp_lock_destroy(next) == 0);
    mp_lock which = lock;
    MP_WITH_LOCK(which) which = second;
    CHECK(all_free());
}

template <typename Object> int guarded(Object object)
{
    MP_WITH_LOCK(object) {
        auto inner = [&] {
            MP_WITH_LOCK(second) return 5;
            return 6;
        };
        return inner();
    }
    return 7;
}

void test_template()
{
    CHECK(guarded(lock) == 5);
    CHECK(guarded(rlock) == 5);
    CHECK(guarded(value) == 5);
    CHECK(all_free());
}

int enter_nothing(void *)
{
    mp_lock none = {};
    MP_WITH_LOCK(none) return 96;
    return 97;
}

void test_failure(mp_start_method method)
{
    mp_process_options options = {};
    options.method = method;
    mp_process child;
    int code = -1;
    std::fprintf(stderr, "one line about a handle that is all zero, by %s:\n", mp_start_method_name(method));
    MP_CHECK(mp_process_start(&child, enter_nothing, nullptr, 0, &options));
    MP_CHECK(mp_process_join(child, &code, 60000));
    MP_CHECK(mp_process_close(child));
    CHECK(code == 1);
}
} // namespace

int main()
{
    mp_freeze_support();
    MP_CHECK(mp_lock_create(&lock, nullptr));
    MP_CHECK(mp_lock_create(&second, nullptr));
    MP_CHECK(mp_rlock_create(&rlock, nullptr));
    MP_CHECK(mp_value_create(&value, sizeof(int), nullptr));
    test_end();
    test_break_continue();
    test_return();
    test_goto();
    test_exception();
    test_inside();
    test_template();
    size_t count = 0;
    const mp_start_method *methods = mp_get_all_start_methods(&count);
    for (size_t i = 0; i < count; i++) test_failure(methods[i]);
    return failures != 0;
}
