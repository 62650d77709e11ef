# SPDX-License-Identifier: MIT
# What is installed, and in which package it goes. Components: runtime (the shared library), development (all that is needed
# to build against libmp) and tools (mp-top).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(mp_config_folder ${CMAKE_INSTALL_LIBDIR}/cmake/mp)
set(mp_generated ${PROJECT_BINARY_DIR}/install)
set(mp_kinds "") # of libraries there are: static, shared

# As mp::static or mp::shared, described by a file of its own: who packages libmp may leave one out.
function(mp_install_library target)
  get_target_property(kind ${target} TYPE)
  string(REPLACE "_LIBRARY" "" kind ${kind})
  string(TOLOWER ${kind} kind)
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${kind})
  install(TARGETS ${target} EXPORT mp-${kind}
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime NAMELINK_COMPONENT development
    RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT runtime
    INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  install(EXPORT mp-${kind} NAMESPACE mp:: FILE mp-${kind}.cmake DESTINATION ${mp_config_folder} COMPONENT development)
  set(mp_kinds ${mp_kinds} ${kind} PARENT_SCOPE)
endfunction()

mp_install_library(mp)
if(TARGET mp_shared)
  mp_install_library(mp_shared)
endif()
install(DIRECTORY include/mp DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development FILES_MATCHING PATTERN "*.h")
if(TARGET mp-top)
  install(TARGETS mp-top RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT tools)
  install(FILES src/tools/mp-top.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT tools)
endif()
# Where the target docs has been built.
install(DIRECTORY ${PROJECT_BINARY_DIR}/docs/man3 DESTINATION ${CMAKE_INSTALL_MANDIR} COMPONENT development OPTIONAL)
install(DIRECTORY ${PROJECT_BINARY_DIR}/docs/html DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT development OPTIONAL)
# In the package that the other one needs, if there are two.
set(mp_license_component development)
if("shared" IN_LIST mp_kinds)
  set(mp_license_component runtime)
endif()
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT ${mp_license_component})

# ---- find_package(mp) --------------------------------------------------------------------------------------------------

configure_package_config_file(src/install/mpConfig.cmake.in ${mp_generated}/mpConfig.cmake
  INSTALL_DESTINATION ${mp_config_folder} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${mp_generated}/mpConfigVersion.cmake COMPATIBILITY SameMajorVersion)
install(FILES ${mp_generated}/mpConfig.cmake ${mp_generated}/mpConfigVersion.cmake
  DESTINATION ${mp_config_folder} COMPONENT development)

# ---- pkg-config mp -----------------------------------------------------------------------------------------------------

# Found from where the file lies, so that all of it can be moved.
function(mp_relative variable folder)
  if(IS_ABSOLUTE ${folder})
    set(${variable} ${folder} PARENT_SCOPE)
  else()
    set(${variable} "\${prefix}/${folder}" PARENT_SCOPE)
  endif()
endfunction()
mp_relative(mp_libdir ${CMAKE_INSTALL_LIBDIR})
mp_relative(mp_includedir ${CMAKE_INSTALL_INCLUDEDIR})
if(IS_ABSOLUTE ${CMAKE_INSTALL_LIBDIR})
  set(mp_prefix ${CMAKE_INSTALL_PREFIX})
else()
  string(REGEX REPLACE "[^/]+" ".." mp_prefix ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
  set(mp_prefix "\${pcfiledir}/${mp_prefix}")
endif()
set(mp_static_libraries "")
foreach(library IN LISTS MP_SYSTEM_LIBRARIES)
  if(library STREQUAL "Threads::Threads")
    string(APPEND mp_static_libraries " -pthread")
  else()
    string(APPEND mp_static_libraries " -l${library}")
  endif()
endforeach()
set(mp_pc_static "")
set(mp_pc_always "")
set(mp_pc_flags "")
if(NOT "shared" IN_LIST mp_kinds)
  set(mp_pc_always "${mp_static_libraries}")
  set(mp_pc_flags " -DMP_STATIC")
elseif("static" IN_LIST mp_kinds)
  set(mp_pc_static "Cflags.private: -DMP_STATIC\nLibs.private:${mp_static_libraries}\n")
endif()
configure_file(src/install/mp.pc.in ${mp_generated}/mp.pc @ONLY)
install(FILES ${mp_generated}/mp.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)

# ---- packages ----------------------------------------------------------------------------------------------------------

if(MP_TOP_LEVEL)
  include(${CMAKE_CURRENT_LIST_DIR}/package.cmake)
endif()
