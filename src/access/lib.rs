//! How a travel document lets itself be read: access control, authentication and secure messaging.
