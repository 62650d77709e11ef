# SPDX-License-Identifier: MIT
# One way in which others use libmp: cmake -DSETTINGS=... -DNAME=... -DWAY=... [-DCOMPONENT=static|shared] [-DLANGUAGE=C|CXX] -P
# Ends with an error unless the consumer was built that way, runs, and does what it should.
cmake_minimum_required(VERSION 3.16)
include(${SETTINGS})
set(here ${CMAKE_CURRENT_LIST_DIR})
set(prefix ${FOLDER}/prefix)
set(work ${FOLDER}/${NAME})
set(extension_C c)
set(extension_CXX cpp)
# Or a C++ program would need the compiler's DLLs beside it.
set(runtime "")
if(SYSTEM STREQUAL "Windows" AND LANGUAGE STREQUAL "CXX")
  set(runtime -static-libgcc -static-libstdc++)
endif()
file(REMOVE_RECURSE ${work})
file(MAKE_DIRECTORY ${work})

# What the caller's environment says is about other installations.
unset(ENV{DESTDIR})
set(ENV{PKG_CONFIG_PATH} "")
foreach(language IN ITEMS C CXX)
  separate_arguments(flags_${language} UNIX_COMMAND "${FLAGS_${language}}")
endforeach()

function(must) # command...
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE errors)
  if(NOT result EQUAL 0)
    string(REPLACE ";" " " command "${ARGV}")
    message(FATAL_ERROR "${command}\n${output}${errors}\nended with ${result}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

# ---- the parts ---------------------------------------------------------------------------------------------------------

# It says that it used libmp; where a shared one is meant, that is found in `libraries` and nowhere else.
function(run program libraries)
  set(environment PATH=$ENV{PATH})
  if(SYSTEM STREQUAL "Windows" AND libraries)
    file(GLOB dlls ${libraries}/../bin/*.dll)
    get_filename_component(folder ${program} DIRECTORY)
    file(COPY ${dlls} DESTINATION ${folder})
  elseif(libraries)
    set(environment LD_LIBRARY_PATH=${libraries} DYLD_LIBRARY_PATH=${libraries})
  endif()
  must(${CMAKE_COMMAND} -E env ${environment} ${EMULATOR} ${program})
  if(NOT output MATCHES "libmp [0-9.]+ is used")
    message(FATAL_ERROR "${program} has said: ${output}")
  endif()
endfunction()

# Whether it needs the shared library to run is whether it was linked with that.
function(must_be_linked program component)
  file(STRINGS ${program} found REGEX "libmp\\.(so|dll|[0-9.]*dylib)" LIMIT_COUNT 1)
  if(component STREQUAL "static" AND found)
    message(FATAL_ERROR "${program} needs ${found}")
  elseif(component STREQUAL "shared" AND NOT found)
    message(FATAL_ERROR "${program} does not need a shared library")
  endif()
endfunction()

function(build_project folder) # arguments...
  set(toolchain -DCMAKE_${LANGUAGE}_COMPILER=${${LANGUAGE}} -DCMAKE_C_COMPILER=${C})
  if(CROSS)
    list(APPEND toolchain -DCMAKE_SYSTEM_NAME=${SYSTEM} -DCMAKE_RC_COMPILER=${RC})
  endif()
  string(REPLACE ";" " " linking "${runtime}")
  must(${CMAKE_COMMAND} -S ${here}/${folder} -B ${work}/build -G ${GENERATOR} -DCMAKE_BUILD_TYPE=Release ${toolchain}
    -DLANGUAGE=${LANGUAGE} -DPROGRAM=${here}/consumer.${extension_${LANGUAGE}}
    -DCMAKE_EXE_LINKER_FLAGS=${linking} -DCMAKE_C_FLAGS=${FLAGS_C} -DCMAKE_CXX_FLAGS=${FLAGS_CXX} ${ARGN})
  must(${CMAKE_COMMAND} --build ${work}/build)
  file(GLOB program ${work}/build/consumer ${work}/build/consumer.exe ${work}/build/*/consumer ${work}/build/*/consumer.exe)
  set(program ${program} PARENT_SCOPE)
endfunction()

function(try_find_package where component) # arguments...
  build_project(find_package -DCMAKE_PREFIX_PATH=${where} -DCOMPONENT=${component} ${ARGN})
  file(STRINGS ${work}/build/CMakeCache.txt found REGEX "^mp_DIR:")
  string(FIND "${found}" "=${where}/" place)
  if(place EQUAL -1)
    message(FATAL_ERROR "another libmp was found: ${found}")
  endif()
  if(component)
    must_be_linked(${program} ${component})
  endif()
  run(${program} "${where}/${LIBDIR}")
  set(program ${program} PARENT_SCOPE)
endfunction()

# Headers and libraries by the compiler's own options, which are given.
function(compile component libraries) # options...
  set(program ${work}/consumer)
  if(SYSTEM STREQUAL "Windows")
    set(program ${program}.exe)
  endif()
  must(${${LANGUAGE}} ${flags_${LANGUAGE}} -o ${program} ${here}/consumer.${extension_${LANGUAGE}} ${ARGN} ${runtime})
  if(component)
    must_be_linked(${program} ${component})
  endif()
  run(${program} ${libraries})
endfunction()

function(try_pkg_config where component)
  set(linked ${component} ${ARGN}) # the last one: what comes of it
  list(GET linked -1 linked)
  set(options --cflags --libs)
  if(component STREQUAL "static")
    set(options --static ${options})
  endif()
  must(${CMAKE_COMMAND} -E env PKG_CONFIG_LIBDIR=${where}/${LIBDIR}/pkgconfig ${PKG_CONFIG} ${options} "mp >= 0.1")
  separate_arguments(flags UNIX_COMMAND "${output}")
  if(component STREQUAL "static") # the one library, and not libc as well
    list(TRANSFORM flags REPLACE "^-lmp$" "-Wl,-Bstatic;-lmp;-Wl,-Bdynamic")
  endif()
  compile(${linked} ${where}/${LIBDIR} ${flags})
endfunction()

# The sources, as they would be downloaded.
function(pack_sources archive)
  execute_process(COMMAND ${CMAKE_COMMAND} -E tar czf ${archive} CMakeLists.txt LICENSE README.md include src
    WORKING_DIRECTORY ${SOURCE} RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "the sources can not be packed: ${result}")
  endif()
endfunction()

function(compare_symbols file pattern)
  must(${NM} ${ARGN} ${file})
  string(REGEX MATCHALL "${pattern}" lines "${output}")
  list(TRANSFORM lines REPLACE ".* ([^ ]+)$" "\\1")
  list(SORT lines)
  list(REMOVE_DUPLICATES lines)
  file(STRINGS ${here}/symbols.txt wanted)
  foreach(name IN LISTS lines)
    if(NOT name IN_LIST wanted)
      message(SEND_ERROR "${file} exports ${name}, which is not in tests/install/symbols.txt")
    endif()
  endforeach()
  foreach(name IN LISTS wanted)
    if(NOT name IN_LIST lines)
      message(SEND_ERROR "${file} does not export ${name}, which is in tests/install/symbols.txt")
    endif()
    if(NOT name MATCHES "^mp_[a-z]")
      message(SEND_ERROR "tests/install/symbols.txt: ${name} is not a name of libmp")
    endif()
  endforeach()
endfunction()

# ---- the ways ----------------------------------------------------------------------------------------------------------

if(WAY STREQUAL "stage")
  file(REMOVE_RECURSE ${prefix})
  must(${CMAKE_COMMAND} --install ${BUILD} --config ${CONFIG} --prefix ${prefix})
  foreach(folder IN ITEMS src tests examples)
    if(EXISTS ${prefix}/${folder})
      message(FATAL_ERROR "${folder} has been installed")
    endif()
  endforeach()

elseif(WAY STREQUAL "find_package")
  try_find_package(${prefix} "${COMPONENT}")

elseif(WAY STREQUAL "version") # of another major version is none that was asked for
  file(WRITE ${work}/CMakeLists.txt [=[
cmake_minimum_required(VERSION 3.16)
project(consumer LANGUAGES C)
if(CMAKE_VERSION VERSION_LESS 4) # an old project's policies are not ours
  cmake_policy(SET CMP0057 OLD)
endif()
foreach(version IN ITEMS 1.0 0.9)
  find_package(mp ${version} QUIET)
  if(mp_FOUND OR TARGET mp::mp)
    message(FATAL_ERROR "${version} was found")
  endif()
endforeach()
find_package(mp 0.1 QUIET COMPONENTS nothing)
if(mp_FOUND OR TARGET mp::mp)
  message(FATAL_ERROR "a component that there is not was found")
endif()
find_package(mp 0.1 REQUIRED)
find_package(mp 0.1 REQUIRED COMPONENTS shared) # stays what it was
get_target_property(kind mp::mp INTERFACE_LINK_LIBRARIES)
if(NOT mp_FOUND OR NOT mp_VERSION VERSION_LESS 1.0 OR NOT kind STREQUAL "mp::static")
  message(FATAL_ERROR "${mp_VERSION} was found, ${kind}")
endif()
]=])
  must(${CMAKE_COMMAND} -S ${work} -B ${work}/build -G ${GENERATOR} -DCMAKE_PREFIX_PATH=${prefix})

elseif(WAY STREQUAL "pkg_config")
  try_pkg_config(${prefix} ${COMPONENT})

elseif(WAY STREQUAL "compiler")
  compile("" ${prefix}/${LIBDIR} -I${prefix}/include -L${prefix}/${LIBDIR} -lmp -pthread)

elseif(WAY STREQUAL "moved") # somewhere else, with a blank in the path
  set(LANGUAGE C)
  file(COPY ${prefix}/ DESTINATION "${work}/some where")
  try_find_package("${work}/some where" static)
  file(REMOVE_RECURSE ${work}/build)
  try_find_package("${work}/some where" shared)

elseif(WAY STREQUAL "only") # one of the two is installed
  set(LANGUAGE C)
  if(COMPONENT STREQUAL "shared")
    set(choice -DBUILD_SHARED_LIBS=ON)
  else()
    set(choice -DMP_BUILD_SHARED=OFF)
  endif()
  must(${CMAKE_COMMAND} -S ${SOURCE} -B ${work}/libmp -G ${GENERATOR} -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_COMPILER=${C}
    -DCMAKE_C_FLAGS=${FLAGS_C} -DMP_BUILD_TESTS=OFF -DMP_BUILD_EXAMPLES=OFF -DMP_BUILD_BENCH=OFF
    -DCMAKE_INSTALL_LIBDIR=lib/one ${choice})
  must(${CMAKE_COMMAND} --build ${work}/libmp)
  must(${CMAKE_COMMAND} --install ${work}/libmp --prefix ${work}/prefix)
  set(LIBDIR lib/one)
  file(RENAME ${work}/prefix ${work}/moved)
  try_find_package(${work}/moved "" -Dmp_DIR=${work}/moved/${LIBDIR}/cmake/mp) # which is not looked for in there
  must_be_linked(${program} ${COMPONENT})
  if(PKG_CONFIG)
    try_pkg_config(${work}/moved shared ${COMPONENT})
  endif()

elseif(WAY STREQUAL "subdirectory")
  build_project(subdirectory -DLIBMP=${SOURCE})
  run(${program} "")

elseif(WAY STREQUAL "fetch_content")
  pack_sources(${work}/libmp.tar.gz)
  build_project(fetch_content -DLIBMP=${work}/libmp.tar.gz)
  run(${program} "")

elseif(WAY STREQUAL "symbols")
  if(SYSTEM STREQUAL "Windows")
    compare_symbols(${prefix}/${LIBDIR}/libmp.dll.a " T mp[^\n]*" --defined-only)
  else()
    compare_symbols(${prefix}/${LIBDIR}/libmp.so " [A-Z] [^_\n][^\n]*" -D --defined-only)
  endif()
  # Nor does the static one have global names that may be a program's. What compilers make for themselves begins with a dot or
  # two underscores.
  must(${NM} -g --defined-only ${prefix}/${LIBDIR}/libmp.a)
  string(REGEX MATCHALL " [A-Z] [^\n]*" lines "${output}")
  foreach(line IN LISTS lines)
    if(NOT line MATCHES " (mp_|\\.|__)[^ ]*$")
      message(SEND_ERROR "libmp.a defines${line}")
    endif()
  endforeach()

elseif(WAY STREQUAL "package")
  set(LANGUAGE C)
  execute_process(COMMAND ${CMAKE_CPACK_COMMAND} -C "${CONFIG}" -B ${work}/packages WORKING_DIRECTORY ${BUILD}
    RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "cpack: ${output}")
  endif()
  file(GLOB archives ${work}/packages/*.tar.gz ${work}/packages/*.zip)
  if(NOT archives)
    message(FATAL_ERROR "cpack has made no archive")
  endif()
  file(GLOB packages ${work}/packages/*.deb)
  if(NOT packages)
    message("no dpkg here: an archive only")
    return()
  endif()
  list(LENGTH packages count)
  if(NOT count EQUAL 2)
    message(FATAL_ERROR "packages: ${packages}")
  endif()
  foreach(package IN LISTS packages)
    must(${DPKG_DEB} --info ${package})
    must(${DPKG_DEB} --extract ${package} ${work}/root)
  endforeach()
  set(LIBDIR lib)
  try_find_package(${work}/root/usr shared)

else()
  message(FATAL_ERROR "no such way: ${WAY}")
endif()
