package main

// Configurations of the others: TLS 1.3 with the cipher that Go's TLS chooses,
// certificates of both sides verified, connections kept.

const nginxText = `daemon off;
worker_processes auto;
pid %s;
error_log %s crit;
events { worker_connections 4096; }
http {
  access_log off;
  keepalive_requests 1000000000;
%s
}
`

const nginxOuter = `  upstream b { server %s; keepalive 256; keepalive_requests 1000000000; }
  server {
    listen %s reuseport;
    location / {
      proxy_pass https://b;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_ssl_server_name on;
      proxy_ssl_name %s;
      proxy_ssl_certificate %s;
      proxy_ssl_certificate_key %s;
      proxy_ssl_verify on;
      proxy_ssl_trusted_certificate %s;
      proxy_ssl_protocols TLSv1.3;
      proxy_ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
    }
  }`

const nginxInnerText = `  upstream b { server %s; keepalive 256; keepalive_requests 1000000000; }
  server {
    listen %s ssl reuseport;
    ssl_certificate %s;
    ssl_certificate_key %s;
    ssl_client_certificate %s;
    ssl_verify_client on;
    ssl_protocols TLSv1.3;
    ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
    ssl_session_tickets off;
    location / {
      proxy_pass http://b;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
    }
  }`

const haproxyText = `global
  maxconn 4096
  ssl-default-bind-options ssl-min-ver TLSv1.3 no-tls-tickets
  ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256
  ssl-default-server-options ssl-min-ver TLSv1.3
  ssl-default-server-ciphersuites TLS_AES_128_GCM_SHA256
defaults
  mode http
  timeout connect 10s
  timeout client 60s
  timeout server 60s
  option forwardfor
  http-reuse always
`

const haproxyOuter = `frontend f
  bind %s
  default_backend b
backend b
  http-request set-header X-Forwarded-Proto http
  server s %s ssl verify required ca-file %s crt %s verifyhost %s sni str(%s) alpn %s
`

const haproxyInnerText = `frontend f
  bind %s ssl crt %s ca-file %s verify required alpn %s
  default_backend b
backend b
  http-request set-header X-Forwarded-Proto https
  server s %s
`
