// Loaded before everything else (node --import). Connections go to this machine or nowhere; what was refused is kept,
// so that a test can say what was asked for. What the libraries print goes to stderr: stdout is the answer's.
import net from 'node:net';

export const refused = [];

const connect = net.Socket.prototype.connect;
net.Socket.prototype.connect = function(...parameters) {
  const options = Array.isArray(parameters[0]) ? parameters[0][0] : parameters[0];
  const {host} = options;
  if(host !== '127.0.0.1') {
    refused.push(String(host));
    // As if the name did not resolve: the libraries see an error that they know how to handle.
    Object.assign(options, {
      host: 'refused.invalid',
      lookup: (name, more, done) => done(new Error(`${host} is not on this machine`))
    });
  }
  return connect.apply(this, parameters);
};

console.log = console.error;
